#!/usr/bin/env bash
# Grype and the tool that writes its small database, built from source: the second scanner in tests. Prints the folder.
# shellcheck source=setup/go.sh
. "$(dirname "${BASH_SOURCE[0]}")/go.sh"
folder="$(grype_folder)"

build() {
    local GO new="$folder.new.$$" log="$LOGS/grype.log" next="see the log; a first build downloads about 1 GiB of modules"
    GO="$(find_go)"
    room 4000 "$CACHE"
    say "building Grype $GRYPE_VERSION with $GO, about 6 minutes of CPU the first time, log in $log"
    rm -rf "$new" && mkdir -p "$new"
    logged "$LOGS/grype-advisories.log" "the tool for Grype's database cannot be built" "$next" \
        go_build grype "$new/advisories" "-s -w" ./advisories
    logged "$log" "Grype $GRYPE_VERSION cannot be built" "$next" go_build grype "$new/grype" \
        "-s -w -X main.version=$GRYPE_VERSION" github.com/anchore/grype/cmd/grype
    (cd "$new" && sums advisories grype >SHA256SUMS)
    rm -rf "$folder" && mv "$new" "$folder"
}

if ! kept "$folder"; then
    if [ -e "$folder" ]; then note "the kept Grype is damaged (its checksum differs): building it anew"; fi
    build
fi
printf '%s\n' "$folder"
