#!/usr/bin/env bash
# The wheel of a commit, reproducible: the same commit gives the same bytes, wherever it is built.
#
#   setup/wheel.sh FOLDER [REVISION]    prints the path of the wheel in FOLDER; REVISION is HEAD without one
#
# What is built is the commit's own tree, not what lies in the checkout. Times in the wheel are the commit's.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# -ge 1 ] || die "no folder is named" "the wheel is written into one" "setup/wheel.sh FOLDER [REVISION]"
mkdir -p "$1"
out="$(cd "$1" && pwd -P)"
commit="$(git -C "$ROOT" rev-parse --verify --quiet "${2:-HEAD}^{commit}")" ||
    die "there is no revision ${2:-HEAD}" "git does not know it in $ROOT" "name a tag, a branch or a commit"
python="${AUTOCLAVE_PYTHON:-$ROOT/.venv/bin/python}"
[ -x "$python" ] || python=python3 # a CI job has no environment of its own

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
git -C "$ROOT" archive --format=tar "$commit" -- pyproject.toml README.md LICENSE steps setup | tar -C "$work" -xf -
cd "$work"
SOURCE_DATE_EPOCH="$(git -C "$ROOT" log -1 --format=%ct "$commit")"
export SOURCE_DATE_EPOCH AUTOCLAVE_COMMIT="$commit"
logged "$LOGS/wheel.log" "the wheel of $commit cannot be built" "see the log" \
    "$python" -m hatchling build --target wheel --directory "$work/dist"
wheel="$(ls "$work/dist")"
mv "$work/dist/$wheel" "$out/$wheel"
printf '%s\n' "$out/$wheel"
