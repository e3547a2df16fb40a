#!/usr/bin/env bash
# act and actionlint, built from source: the tests run and check our GitHub workflow with them. Prints their folder.
# shellcheck source=setup/go.sh
. "$(dirname "${BASH_SOURCE[0]}")/go.sh"
folder="$(act_folder)"

build() {
    local GO new="$folder.new.$$" log="$LOGS/act.log"
    GO="$(find_go)"
    room 1000 "$CACHE"
    say "building act $ACT_VERSION and actionlint $ACTIONLINT_VERSION with $GO, a minute of CPU the first time, log in $log"
    rm -rf "$new" && mkdir -p "$new"
    logged "$log" "act $ACT_VERSION cannot be built" "see the log" \
        go_build act "$new/act" "-s -w" github.com/nektos/act
    logged "$log" "actionlint $ACTIONLINT_VERSION cannot be built" "see the log" go_build act "$new/actionlint" \
        "-s -w -X github.com/rhysd/actionlint.version=$ACTIONLINT_VERSION" github.com/rhysd/actionlint/cmd/actionlint
    (cd "$new" && sums act actionlint >SHA256SUMS)
    rm -rf "$folder" && mv "$new" "$folder"
}

if ! kept "$folder"; then
    if [ -e "$folder" ]; then note "the kept act is damaged (its checksum differs): building it anew"; fi
    build
fi
printf '%s\n' "$folder"
