#!/usr/bin/env bash
# Set the version: in pyproject.toml, and in every file that repeats it because it cannot read that one.
#
#   setup/set-version.sh 0.2.0
#
# The hosts' templates and the reference are written anew. tests/contract/test_version.py finds what was forgotten.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"
[[ "${1:-}" =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "'${1:-}' is not a version" \
    "a version is three numbers, by semver.org" "setup/set-version.sh 0.2.0"
now="$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)"
pattern="${now//./\\.}"
sed -i.old -e "s/^version = \"$pattern\"$/version = \"$1\"/" pyproject.toml autoclave.toml
sed -i.old -e "s/autoclave@v$pattern/autoclave@v$1/" Jenkinsfile
sed -i.old -e "s/autoclave-tools:$pattern/autoclave-tools:$1/; s/autoclave:$pattern/autoclave:$1/; s/\"autoclave $pattern\"/\"autoclave $1\"/; s/autoclave $pattern /autoclave $1 /" \
    pipelines/image/Dockerfile setup/step-tools.sh docs/step-image.md tests/image/test_step_image.py \
    tests/pipelines/test_own_pipelines.py
for file in pyproject.toml autoclave.toml Jenkinsfile pipelines/image/Dockerfile setup/step-tools.sh docs/step-image.md \
    tests/image/test_step_image.py tests/pipelines/test_own_pipelines.py; do rm "$file.old"; done
for script in pipelines/make_gitlab.py pipelines/make_jenkins.py docs/make_reference.py; do
    .venv/bin/python "$script"
done
say "the version is $1: add its section to CHANGELOG.md, and commit"
