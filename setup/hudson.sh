#!/usr/bin/env bash
# Hudson, the Jenkins of 2011, from Maven Central: the tests of our Jenkins client talk to it. Prints its folder.
#
# No newer one can be had from a package registry. It stays on this machine's loopback, and holds nothing.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
parts="$ROOT/setup/hudson"
folder="$(hudson_folder)"
path="org/jvnet/hudson/main/hudson-war/$HUDSON_VERSION/hudson-war-$HUDSON_VERSION.war"
central="${MAVEN_CENTRAL:-https://repo.maven.apache.org/maven2}"

fetch() { # FILE: Maven knows mirrors and passwords of its own, curl is faster
    curl --fail --silent --show-error --location --retry 3 --max-time 300 -o "$1" "$central/$path" && return
    command -v mvn >/dev/null || return 1
    mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -DoutputDirectory="$(dirname "$1")" \
        -Dartifact="org.jvnet.hudson.main:hudson-war:$HUDSON_VERSION:war" -Dmdep.stripVersion=true &&
        mv "$(dirname "$1")/hudson-war.war" "$1"
}

make() {
    local new="$folder.new.$$" log="$LOGS/hudson.log" next="see the log; MAVEN_CENTRAL names another mirror"
    ensure javac openjdk-17-jdk-headless
    ensure curl curl
    say "fetching Hudson $HUDSON_VERSION (37 MiB) from Maven Central, log in $log"
    rm -rf "$new" && mkdir -p "$new"
    logged "$log" "Hudson $HUDSON_VERSION cannot be fetched" "$next" fetch "$new/hudson.war"
    [ "$(sha256 "$new/hudson.war")" = "$HUDSON_SHA256" ] ||
        die "Hudson $HUDSON_VERSION is not the one that was looked at" \
            "its checksum is not $HUDSON_SHA256" "find out what $central gave"
    logged "$log" "Hudson's start cannot be compiled" "see the log" javac -d "$new" "$parts/Boot.java"
    cp "$parts/hudson" "$new/"
    rm -rf "$folder" && mv "$new" "$folder"
}

kept() { [ -e "$folder/Boot.class" ] && [ "$(sha256 "$folder/hudson.war")" = "$HUDSON_SHA256" ]; }

if ! kept; then make; fi
printf '%s\n' "$folder"
