#!/usr/bin/env bash
# A registry with the referrers API, built from source: the tests keep records in it. Prints its folder.
# shellcheck source=setup/go.sh
. "$(dirname "${BASH_SOURCE[0]}")/go.sh"
folder="$(registry_folder)"

build() {
    local GO new="$folder.new.$$" log="$LOGS/registry.log"
    GO="$(find_go)"
    room 500 "$CACHE"
    say "building the test registry $REGISTRY_VERSION with $GO, a few seconds, log in $log"
    rm -rf "$new" && mkdir -p "$new"
    logged "$log" "the test registry $REGISTRY_VERSION cannot be built" "see the log" \
        go_build registry "$new/registry" "-s -w" .
    (cd "$new" && sums registry >SHA256SUMS)
    rm -rf "$folder" && mv "$new" "$folder"
}

if ! kept "$folder"; then
    if [ -e "$folder" ]; then note "the kept test registry is damaged (its checksum differs): building it anew"; fi
    build
fi
printf '%s\n' "$folder"
