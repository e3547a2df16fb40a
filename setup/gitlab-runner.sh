#!/usr/bin/env bash
# GitLab's own runner and its helper, built from source: the tests run our GitLab templates with it. Prints their folder.
#
# setup/gitlab-runner/stand-ins says which modules are not GitLab's, and what this build therefore cannot do.
# shellcheck source=setup/go.sh
. "$(dirname "${BASH_SOURCE[0]}")/go.sh"
GO_NEEDED="1.26.5" # the runner's own go.mod
folder="$(gitlab_runner_folder)"

build() {
    local GO new="$folder.new.$$" log="$LOGS/gitlab-runner.log" package=gitlab.com/gitlab-org/gitlab-runner revision
    local what="GitLab Runner $GITLAB_RUNNER_VERSION cannot be built"
    GO="$(find_go)"
    room 3000 "$CACHE"
    say "building GitLab Runner $GITLAB_RUNNER_VERSION with $GO, about 4 minutes of CPU the first time, log in $log"
    rm -rf "$new" && mkdir -p "$new"
    # The module's version ends with the commit.
    revision="$(sed -n "s|^.*$package v.*-\([0-9a-f]\{12\}\)$|\1|p" "$ROOT/setup/gitlab-runner/go.mod")"
    local flags="-s -w -X $package/common.VERSION=$GITLAB_RUNNER_VERSION -X $package/common.REVISION=$revision"
    logged "$log" "$what" "see the log" go_build gitlab-runner "$new/gitlab-runner" "$flags" .
    logged "$log" "$what" "see the log" \
        go_build gitlab-runner "$new/gitlab-runner-helper" "$flags" "$package/apps/gitlab-runner-helper"
    (cd "$new" && sums gitlab-runner gitlab-runner-helper >SHA256SUMS)
    rm -rf "$folder" && mv "$new" "$folder"
}

if ! kept "$folder"; then
    if [ -e "$folder" ]; then note "the kept runner is damaged (its checksum differs): building it anew"; fi
    build
fi
printf '%s\n' "$folder"
