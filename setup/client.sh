#!/usr/bin/env bash
# Docker's client and its BuildKit plug-in, built from source for the step image. Prints their folder.
# shellcheck source=setup/go.sh
. "$(dirname "${BASH_SOURCE[0]}")/go.sh"
folder="$(client_folder)"

build() {
    local GO new="$folder.new.$$" log="$LOGS/client.log"
    GO="$(find_go)"
    room 3000 "$CACHE"
    say "building docker $DOCKER_CLIENT_VERSION and buildx $BUILDX_VERSION with $GO, about 5 minutes of CPU, log in $log"
    rm -rf "$new" && mkdir -p "$new"
    logged "$log" "docker's client $DOCKER_CLIENT_VERSION cannot be built" "see the log" \
        go_build docker "$new/docker" \
        "-s -w -X github.com/docker/cli/cli/version.Version=$DOCKER_CLIENT_VERSION" github.com/docker/cli/cmd/docker
    logged "$log" "buildx $BUILDX_VERSION cannot be built" "see the log" \
        go_build buildx "$new/docker-buildx" \
        "-s -w -X github.com/docker/buildx/version.Version=v$BUILDX_VERSION" github.com/docker/buildx/cmd/buildx
    (cd "$new" && sums docker docker-buildx >SHA256SUMS)
    rm -rf "$folder" && mv "$new" "$folder"
}

if ! kept "$folder"; then
    if [ -e "$folder" ]; then note "the kept docker client is damaged (its checksum differs): building it anew"; fi
    build
fi
printf '%s\n' "$folder"
