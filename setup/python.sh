#!/usr/bin/env bash
# The Python environment .venv: exactly the locked packages, by hash, and Autoclave itself, editable.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"
stamp=.venv/.autoclave-ready

# wanted: what the environment is made from. It breaks when the folder moves, because it contains absolute paths.
wanted() { printf '%s %s %s\n' "$(sha256 requirements.lock)" "$(sha256 pyproject.toml)" "$ROOT"; }

usable() { # PYTHON: new enough, and able to make an environment
    "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local candidate
    for candidate in python3.13 python3.12 python3.11 python3; do
        if usable "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

make() {
    local python next="fix what pip names: the network, its configuration (pip config list), or a hash that differs"
    python="$(find_python)" || {
        # Debian's python3 comes without ensurepip.
        if may_apt; then apt_add python3 python3-venv; fi
        python="$(find_python)" || die "no usable Python" \
            "none of python3.13, python3.12, python3.11, python3 is at least 3.11 with venv and ensurepip" \
            "install Python 3.11 or newer; on Debian 12: apt-get install python3-venv"
    }
    say "making .venv with $python from requirements.lock"
    local clear=()
    if ! .venv/bin/python -c '' 2>/dev/null || { [ -e $stamp ] && [ "$(cut -d ' ' -f 3- $stamp)" != "$ROOT" ]; }; then
        clear=(--clear)
    fi
    rm -f $stamp
    logged "$LOGS/python.log" "cannot make .venv" "remove .venv and retry" \
        "$python" -m venv ${clear[@]+"${clear[@]}"} .venv
    logged "$LOGS/python.log" "the locked Python packages cannot be installed" "$next" \
        .venv/bin/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
    logged "$LOGS/python.log" "Autoclave itself cannot be installed into .venv" \
        "check pyproject.toml" .venv/bin/python -m pip install --disable-pip-version-check --no-deps \
        --no-build-isolation -e .
    wanted >$stamp
}

if [ "$(cat $stamp 2>/dev/null)" != "$(wanted)" ] || ! .venv/bin/python -c '' 2>/dev/null; then make; fi
