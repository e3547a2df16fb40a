#!/usr/bin/env bash
# A release of Autoclave: everything that is published, in one folder; then the wheel, to a package index.
#
#   setup/release.sh v0.2.0 dist                     the folder, with checksums and their signature
#   AUTOCLAVE_INDEX=https://… setup/release.sh …    and the wheel to that index; twine's variables name the account
#
# The step image goes through Autoclave's own flow before this (.gitlab-ci.yml, Jenkinsfile): build to sign, then `autoclave
# deploy published`. AUTOCLAVE_STORE and AUTOCLAVE_RELEASE say where its release record is, AUTOCLAVE_CHECKSUM_KEY which key
# signs the checksums.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# = 2 ] || die "a tag and a folder are needed" "got $# words" "setup/release.sh v0.2.0 dist"
if [ -z "${AUTOCLAVE_PYTHON:-}" ]; then # an environment that has Autoclave and the build's tools
    "$ROOT/setup/python.sh"
    export AUTOCLAVE_PYTHON="$ROOT/.venv/bin/python"
fi
"$AUTOCLAVE_PYTHON" "$ROOT/setup/release/assemble.py" "$1" "$2" --key "${AUTOCLAVE_CHECKSUM_KEY:-}"
publishing="$("$ROOT/setup/publishing.sh")"
"$publishing/twine" check --strict "$2"/*.whl >&2
if [ -n "${AUTOCLAVE_INDEX:-}" ]; then
    "$publishing/twine" upload --non-interactive --disable-progress-bar --repository-url "$AUTOCLAVE_INDEX" "$2"/*.whl >&2
fi
