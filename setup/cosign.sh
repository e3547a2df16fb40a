#!/usr/bin/env bash
# cosign, built from source: the tests let it judge Autoclave's signatures. Prints the folder that holds it.
# shellcheck source=setup/go.sh
. "$(dirname "${BASH_SOURCE[0]}")/go.sh"
folder="$(cosign_folder)"

build() {
    local GO new="$folder.new.$$" log="$LOGS/cosign.log"
    GO="$(find_go)"
    room 3000 "$CACHE"
    say "building cosign $COSIGN_VERSION with $GO, about 4 minutes of CPU the first time, log in $log"
    rm -rf "$new" && mkdir -p "$new"
    logged "$log" "cosign $COSIGN_VERSION cannot be built" "see the log" go_build cosign "$new/cosign" \
        "-s -w -X sigs.k8s.io/release-utils/version.gitVersion=v$COSIGN_VERSION" github.com/sigstore/cosign/v3/cmd/cosign
    (cd "$new" && sums cosign >SHA256SUMS)
    rm -rf "$folder" && mv "$new" "$folder"
}

if ! kept "$folder"; then
    if [ -e "$folder" ]; then note "the kept cosign is damaged (its checksum differs): building it anew"; fi
    build
fi
printf '%s\n' "$folder"
