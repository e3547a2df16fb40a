#!/usr/bin/env bash
# Groovy, the transformation that Jenkins runs pipelines under, and JenkinsPipelineUnit, as pinned jars from Maven
# Central: the tests run our Jenkins library with them. Prints the folder with the jars. Java stays the machine's own.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
module="$ROOT/setup/jenkins-unit"
folder="$(jenkins_unit_folder)"
DEPENDENCY_PLUGIN="org.apache.maven.plugins:maven-dependency-plugin:3.6.1"

right() { [ -e "$1" ] && (cd "$1" && sums -c --status "$module/jars.sha256"); }

make() {
    local log="$LOGS/jenkins-unit.log" new="$folder.new.$$"
    ensure mvn maven
    say "fetching Groovy and JenkinsPipelineUnit from Maven Central, log in $log"
    rm -rf "$new" && mkdir -p "$new"
    # -C: a file whose checksum differs from the server's is no file. The repository is thrown away afterwards.
    logged "$log" "the jars cannot be fetched" "fix what it names: the network, or Maven's settings.xml" \
        mvn -B -C -f "$module/pom.xml" -Dmaven.repo.local="$new/repository" \
        "$DEPENDENCY_PLUGIN:copy-dependencies" -DoutputDirectory="$new/jars"
    right "$new/jars" || die "a fetched jar is another than the pinned one" \
        "setup/jenkins-unit/jars.sha256 names other checksums" "find out why before you change the pins"
    rm -rf "$folder" && mv "$new/jars" "$folder"
    rm -rf "$new"
}

ensure java default-jre-headless
if ! right "$folder"; then
    if [ -e "$folder" ]; then note "the kept jars are damaged (a checksum differs): fetching them anew"; fi
    make
fi
printf '%s\n' "$folder"
