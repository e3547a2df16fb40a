#!/usr/bin/env bash
# A real Kubernetes, built from source: control plane, kubelet, kubectl and etcd for the cluster of the tests.
# Prints the folder that holds them, together with the pause program that keeps a pod's namespaces open.
# shellcheck source=setup/go.sh
. "$(dirname "${BASH_SOURCE[0]}")/go.sh"
folder="$(kubernetes_folder)"
programs="kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl"

# The version is stamped in by hand, in both packages that keep one: without it the API server calls itself v0.0.0.
ldflags() {
    local package out="-s -w" minor="${KUBERNETES_VERSION#1.}"
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        out="$out -X $package.gitVersion=v$KUBERNETES_VERSION -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
        out="$out -X $package.gitTreeState=clean -X $package.gitCommit=module-proxy"
    done
    printf '%s\n' "$out"
}

# One command for all six, so that what they share is compiled once and side by side. Kubernetes is not built with
# Go's new JSON, as the other programs here are: nobody has tested it so.
build_kubernetes() { # OUTPUT
    local name packages=()
    for name in $programs; do packages+=("k8s.io/kubernetes/cmd/$name"); done
    cd "$ROOT/setup/kubernetes" && CGO_ENABLED=0 GOTOOLCHAIN=local GOWORK=off \
        GOFLAGS="${GOFLAGS:-} -mod=readonly -buildvcs=false" \
        nice "$GO" build -trimpath -ldflags "$(ldflags)" -o "$1/" "${packages[@]}"
}

build() {
    local GO new="$folder.new.$$" log="$LOGS/kubernetes.log"
    GO="$(find_go)"
    room 6000 "$CACHE"
    say "building Kubernetes $KUBERNETES_VERSION with $GO, about 11 minutes of CPU the first time, log in $log"
    rm -rf "$new" && mkdir -p "$new"
    logged "$log" "Kubernetes $KUBERNETES_VERSION cannot be built" \
        "see the log; a first build downloads about 300 MiB of modules" build_kubernetes "$new"
    logged "$LOGS/etcd.log" "etcd $ETCD_VERSION cannot be built" "see the log" \
        go_build etcd "$new/etcd" "-s -w" go.etcd.io/etcd/server/v3
    logged "$LOGS/pause.log" "the pause program cannot be built" "see the log" \
        go_build kubernetes "$new/pause" "-s -w" ./pause
    # shellcheck disable=SC2086 # a list of words
    (cd "$new" && sums $programs etcd pause >SHA256SUMS)
    rm -rf "$folder" && mv "$new" "$folder"
}

if ! kept "$folder"; then
    if [ -e "$folder" ]; then note "the kept Kubernetes is damaged (its checksum differs): building it anew"; fi
    build
fi
printf '%s\n' "$folder"
