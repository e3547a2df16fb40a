#!/usr/bin/env bash
# twine and pypiserver, from locked packages: they check and take our wheel. Prints the folder with the programs.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
lock="$ROOT/setup/publishing/requirements.lock"
folder="$(publishing_folder)"

make() {
    local python="$ROOT/.venv/bin/python"
    [ -x "$python" ] || python=python3 # a CI job has no environment of its own
    say "installing twine and pypiserver from locked packages, log in $LOGS/publishing.log"
    rm -rf "$folder"
    logged "$LOGS/publishing.log" "there is no place for twine" "see the log" "$python" -m venv "$folder"
    logged "$LOGS/publishing.log" "twine and pypiserver cannot be installed" \
        "fix what it names: the network, the configuration of pip, or a checksum that differs" \
        "$folder/bin/python" -m pip install --disable-pip-version-check --require-hashes -r "$lock"
    touch "$folder/ready" # written last
}

if ! [ -e "$folder/ready" ] || ! "$folder/bin/python" -c '' 2>/dev/null; then make; fi
printf '%s\n' "$folder/bin"
