#!/usr/bin/env bash
# Helm, built from source: the tests render charts with it. Prints the folder that holds it.
# shellcheck source=setup/go.sh
. "$(dirname "${BASH_SOURCE[0]}")/go.sh"
folder="$(helm_folder)"

build() {
    local GO new="$folder.new.$$" log="$LOGS/helm.log"
    GO="$(find_go)"
    room 2000 "$CACHE"
    say "building Helm $HELM_VERSION with $GO, about 3 minutes of CPU the first time, log in $log"
    rm -rf "$new" && mkdir -p "$new"
    logged "$log" "Helm $HELM_VERSION cannot be built" "see the log" go_build helm "$new/helm" \
        "-s -w -X helm.sh/helm/v3/internal/version.version=v$HELM_VERSION" helm.sh/helm/v3/cmd/helm
    (cd "$new" && sums helm >SHA256SUMS)
    rm -rf "$folder" && mv "$new" "$folder"
}

if ! kept "$folder"; then
    if [ -e "$folder" ]; then note "the kept Helm is damaged (its checksum differs): building it anew"; fi
    build
fi
printf '%s\n' "$folder"
