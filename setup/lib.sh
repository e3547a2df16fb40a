# shellcheck shell=bash
# Shared by all set-up scripts: messages, times, checksums, the cache folder, apt.
# Sourced, never run. Works with the bash 3.2 of macOS.
# shellcheck disable=SC2034,SC2119,SC2120 # the names here are for the scripts that source this
set -euo pipefail
shopt -s inherit_errexit 2>/dev/null || true # bash 4.4 and newer

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
CACHE="${XDG_CACHE_HOME:-${HOME:?is not set, so there is no cache folder}/.cache}/autoclave"
LOGS="$CACHE/logs"
BASE_IMAGE="python:3.11-slim-bookworm"
TRIVY_VERSION="0.74.0"
GRYPE_VERSION="0.119.0" # the newest that Go 1.26.3 compiles
COSIGN_VERSION="3.1.3"
REGISTRY_VERSION="0.22.1" # of go-containerregistry, as in setup/registry/go.mod
KUBERNETES_VERSION="1.34.4" # as in setup/kubernetes/go.mod
ETCD_VERSION="3.7.3"
DOCKER_CLIENT_VERSION="28.5.2" # speaks API 1.24 to 1.51, so to engines from 20.10 to 29
BUILDX_VERSION="0.38.2"
HELM_VERSION="3.22.0"
ACT_VERSION="0.2.89" # runs GitHub's workflows
ACTIONLINT_VERSION="1.7.12"
GITLAB_RUNNER_VERSION="19.4.0" # as the file VERSION of the module in setup/gitlab-runner/go.mod says
HUDSON_VERSION="1.398"
HUDSON_SHA256="3457c6f5a5ba75f86fd578eeec0c4ba011e542ab64c484e1a92edc2081dcbc37"
mkdir -p "$LOGS"

# Messages go to stderr: what a script prints on stdout is its result.
say() { printf '==> %s\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }

# die WHAT WHY NEXT
die() {
    printf '\nerror: %s\n  why:  %s\n  next: %s\n' "$1" "$2" "$3" >&2
    exit 1
}

# part NAME COMMAND...: run one part, print how long it took.
part() {
    local name="$1" start=$SECONDS
    shift
    "$@"
    say "$name: ready after $((SECONDS - start)) s"
}

# logged LOG WHAT NEXT COMMAND...: output goes to the log; its tail is shown when the command fails.
logged() {
    local log="$1" what="$2" next="$3"
    shift 3
    "$@" >"$log" 2>&1 </dev/null && return
    sed 's/^/    | /' <(tail -n 20 "$log") >&2
    die "$what" "the last lines of $log are shown above" "$next"
}

# sums ...: sha256sum; macOS has shasum instead.
sums() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }
sha256() { sums <"$1" | cut -c 1-64; }

# key FILE...: twelve hex digits for the contents of these files and this kind of machine.
key() { { cat "$@" && uname -sm; } | sums | cut -c 1-12; }

# within SECONDS COMMAND...: with a time limit; macOS has no `timeout`, so there is none there.
within() {
    local limit="$1"
    shift
    if command -v timeout >/dev/null; then timeout "$limit" "$@"; else "$@"; fi
}

is_debian() { [ -e /etc/debian_version ] && command -v apt-get >/dev/null; }
may_apt() { is_debian && [ "$(id -u)" = 0 ]; }

# apt_add PACKAGE...: install without recommended packages; the caller has asked may_apt.
apt_add() {
    local log="$LOGS/apt.log"
    say "installing $* with apt"
    # The package lists of a fresh machine are empty, those of an old one outdated: update only when needed.
    apt_install "$@" >"$log" 2>&1 </dev/null && return
    logged "$log" "apt-get update failed" "check this machine's network and /etc/apt, then retry" \
        apt-get -q update
    logged "$log" "apt could not install $*" "install the packages by hand, then retry" apt_install "$@"
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$@"
}

# ensure COMMAND PACKAGE: install Debian's package when the command is missing.
ensure() {
    if command -v "$1" >/dev/null; then return; fi
    may_apt || die "$1 is missing" "it is not on PATH, and it can be installed automatically only by root on Debian" "install $2"
    apt_add "$2"
}

# in_background COMMAND...: start it in its own process group, which ends with this script at the latest.
in_background() {
    set -m
    "$@" </dev/null >/dev/null &
    background=$!
    set +m
    trap 'kill -- "-$background" 2>/dev/null || true' EXIT
}

# The folders of the programs: named by version and by a key over everything that decides what is built.
trivy_folder() {
    local module="$ROOT/setup/trivy"
    printf '%s/trivy-%s-%s\n' "$CACHE" "$TRIVY_VERSION" \
        "$(key "$module/go.mod" "$module/go.sum" "$module/advisories/main.go" "$ROOT/setup/go.sh" "$ROOT/setup/trivy.sh")"
}
grype_folder() {
    local module="$ROOT/setup/grype"
    printf '%s/grype-%s-%s\n' "$CACHE" "$GRYPE_VERSION" \
        "$(key "$module/go.mod" "$module/go.sum" "$module/advisories/main.go" "$ROOT/setup/go.sh" "$ROOT/setup/grype.sh")"
}
cosign_folder() {
    local module="$ROOT/setup/cosign"
    printf '%s/cosign-%s-%s\n' "$CACHE" "$COSIGN_VERSION" \
        "$(key "$module/go.mod" "$module/go.sum" "$ROOT/setup/go.sh" "$ROOT/setup/cosign.sh")"
}
registry_folder() {
    local module="$ROOT/setup/registry"
    printf '%s/registry-%s-%s\n' "$CACHE" "$REGISTRY_VERSION" \
        "$(key "$module/go.mod" "$module/go.sum" "$module/main.go" "$ROOT/setup/go.sh" "$ROOT/setup/registry.sh")"
}
kubernetes_folder() {
    local module="$ROOT/setup/kubernetes" etcd="$ROOT/setup/etcd"
    printf '%s/kubernetes-%s-%s\n' "$CACHE" "$KUBERNETES_VERSION" \
        "$(key "$module/go.mod" "$module/go.sum" "$module/pause/main.go" "$etcd/go.mod" "$etcd/go.sum" \
            "$ROOT/setup/go.sh" "$ROOT/setup/kubernetes.sh")"
}
client_folder() {
    local docker="$ROOT/setup/docker" buildx="$ROOT/setup/buildx"
    printf '%s/client-%s-%s-%s\n' "$CACHE" "$DOCKER_CLIENT_VERSION" "$BUILDX_VERSION" "$(key "$docker/go.mod" \
        "$docker/go.sum" "$buildx/go.mod" "$buildx/go.sum" "$ROOT/setup/go.sh" "$ROOT/setup/client.sh")"
}
helm_folder() {
    local module="$ROOT/setup/helm"
    printf '%s/helm-%s-%s\n' "$CACHE" "$HELM_VERSION" \
        "$(key "$module/go.mod" "$module/go.sum" "$ROOT/setup/go.sh" "$ROOT/setup/helm.sh")"
}
act_folder() {
    local module="$ROOT/setup/act"
    printf '%s/act-%s-%s-%s\n' "$CACHE" "$ACT_VERSION" "$ACTIONLINT_VERSION" \
        "$(key "$module/go.mod" "$module/go.sum" "$ROOT/setup/go.sh" "$ROOT/setup/act.sh")"
}
gitlab_runner_folder() {
    local module="$ROOT/setup/gitlab-runner" sources=() file
    # In one order everywhere: the key is over their contents in turn.
    while IFS= read -r -d '' file; do sources+=("$file"); done < <(find "$module" -type f -print0 | LC_ALL=C sort -z)
    printf '%s/gitlab-runner-%s-%s\n' "$CACHE" "$GITLAB_RUNNER_VERSION" \
        "$(key "${sources[@]}" "$ROOT/setup/go.sh" "$ROOT/setup/gitlab-runner.sh")"
}
hudson_folder() {
    local parts="$ROOT/setup/hudson"
    printf '%s/hudson-%s-%s\n' "$CACHE" "$HUDSON_VERSION" \
        "$(key "$parts/Boot.java" "$parts/hudson" "$ROOT/setup/hudson.sh")"
}
gitlab_local_folder() {
    local module="$ROOT/setup/gitlab-local"
    printf '%s/gitlab-local-%s\n' "$CACHE" \
        "$(key "$module/package-lock.json" "$module/requirements.lock" "$ROOT/setup/gitlab-local.sh")"
}
jenkins_unit_folder() {
    local module="$ROOT/setup/jenkins-unit"
    printf '%s/jenkins-unit-%s\n' "$CACHE" \
        "$(key "$module/pom.xml" "$module/jars.sha256" "$ROOT/setup/jenkins-unit.sh")"
}
publishing_folder() {
    printf '%s/publishing-%s\n' "$CACHE" "$(key "$ROOT/setup/publishing/requirements.lock" "$ROOT/setup/publishing.sh")"
}
