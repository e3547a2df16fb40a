#!/usr/bin/env bash
# Trivy and the tool that writes its small database, built from source. Prints the folder that holds both.
# shellcheck source=setup/go.sh
. "$(dirname "${BASH_SOURCE[0]}")/go.sh"
folder="$(trivy_folder)"

build() {
    local GO new="$folder.new.$$" log="$LOGS/trivy.log" next="see the log; a first build downloads about 1 GiB of modules"
    GO="$(find_go)"
    room 6000 "$CACHE"
    say "building Trivy $TRIVY_VERSION with $GO, about 10 minutes of CPU the first time, log in $log"
    rm -rf "$new" && mkdir -p "$new"
    logged "$LOGS/advisories.log" "the advisory database tool cannot be built" "$next" \
        go_build trivy "$new/advisories" "-s -w" ./advisories
    logged "$log" "Trivy $TRIVY_VERSION cannot be built" "$next" go_build trivy "$new/trivy" \
        "-s -w -X github.com/aquasecurity/trivy/pkg/version/app.ver=$TRIVY_VERSION" github.com/aquasecurity/trivy/cmd/trivy
    (cd "$new" && sums advisories trivy >SHA256SUMS)
    rm -rf "$folder" && mv "$new" "$folder"
}

if ! kept "$folder"; then
    if [ -e "$folder" ]; then note "the kept Trivy is damaged (its checksum differs): building it anew"; fi
    build
fi
printf '%s\n' "$folder"
