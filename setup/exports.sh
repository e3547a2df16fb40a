#!/usr/bin/env bash
# Print `export` lines for what set-up made, for any shell:  eval "$(/path/to/setup/exports.sh)"
#
# Builds nothing and verifies no checksums, so it is fast. What is not built yet is left out.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The value is quoted for the shell that reads it, whatever characters the path has.
quote() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }
export_if_there() { # NAME PATH [SCANNER]: the option of one scanner names it
    if [ -e "$2" ]; then printf 'export %s=%s\n' "$1" "$(quote "${3:+$3=}$2")"; fi
}

bin="$ROOT/.venv/bin"
# shellcheck disable=SC2016 # for the shell that reads the lines
# Added once only, however often the lines are read.
printf 'case ":$PATH:" in *:%s:*) ;; *) export PATH=%s:"$PATH" ;; esac\n' "$(quote "$bin")" "$(quote "$bin")"
export_if_there AUTOCLAVE_SCANNER_COMMAND "$(trivy_folder)/trivy" trivy
export_if_there AUTOCLAVE_ADVISORIES "$(trivy_folder)/advisories"
export_if_there AUTOCLAVE_GRYPE "$(grype_folder)"
export_if_there AUTOCLAVE_COSIGN "$(cosign_folder)/cosign"
export_if_there AUTOCLAVE_TEST_REGISTRY "$(registry_folder)/registry"
export_if_there AUTOCLAVE_KUBERNETES "$(kubernetes_folder)"
export_if_there AUTOCLAVE_KUBECTL "$(kubernetes_folder)/kubectl"
export_if_there AUTOCLAVE_HELM "$(helm_folder)/helm"
export_if_there AUTOCLAVE_ACT "$(act_folder)"
export_if_there AUTOCLAVE_GITLAB_RUNNER "$(gitlab_runner_folder)"
export_if_there AUTOCLAVE_HUDSON "$(hudson_folder)/hudson"
export_if_there AUTOCLAVE_GITLAB_LOCAL "$(gitlab_local_folder)/bin"
export_if_there AUTOCLAVE_JENKINS_UNIT "$(jenkins_unit_folder)"
if [ -e "$CACHE/database" ]; then
    export_if_there AUTOCLAVE_SCANNER_CACHE "$(cd "$CACHE/database" && pwd -P)" trivy
fi
