#!/usr/bin/env bash
# The documentation site: built strictly (links, anchors, navigation) and verified, into FOLDER/VERSION.
#
#   setup/site.sh FOLDER     FOLDER/versions.json lists all versions there, and FOLDER/index.html leads to this one
#
# MkDocs has locked packages of its own (setup/site/requirements.lock), kept in the cache: only who builds the site needs them.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# = 1 ] || die "setup/site.sh takes a folder" "got $# words" "run setup/site.sh site"
lock="$ROOT/setup/site/requirements.lock"
tools="$CACHE/site-$(key "$lock")"
log="$LOGS/site.log"
mkdir -p "$1"
target="$(cd "$1" && pwd -P)"
cd "$ROOT"

make() {
    local next="fix what it names: the network, pip's configuration, or a hash that differs"
    say "installing MkDocs from locked packages, log in $log"
    rm -rf "$tools"
    logged "$log" "there is no place for MkDocs" "$next" "$ROOT/.venv/bin/python" -m venv "$tools"
    logged "$log" "MkDocs cannot be installed" "$next" "$tools/bin/python" -m pip install \
        --disable-pip-version-check --require-hashes --only-binary :all: -r "$lock"
    touch "$tools/ready" # made in place, since an environment must not move; the marker comes last
}

if [ ! -e "$tools/ready" ]; then make; fi
version="$("$ROOT/.venv/bin/python" -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["version"])')"
PYTHONDONTWRITEBYTECODE=1 NO_MKDOCS_2_WARNING=1 logged "$log" "the documentation site cannot be built" \
    "correct the page that is named; a new page gets a line in mkdocs.yml" \
    "$tools/bin/mkdocs" build --strict --clean -d "$target/$version"
"$ROOT/.venv/bin/python" setup/site/verify.py "$target/$version"
"$ROOT/.venv/bin/python" setup/site/versions.py "$target" "$version"
printf '%s\n' "$target/$version/index.html"
