#!/usr/bin/env bash
# The image of programs that pipelines/image/Dockerfile takes its docker, buildx, trivy and kubectl from.
#
# They are built from pinned sources (setup/client.sh, trivy.sh, kubernetes.sh), so no image of anybody else is needed.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tag="autoclave-tools:0.1.0"
label=dev.autoclave.tools

client="$("$ROOT/setup/client.sh")"
trivy="$("$ROOT/setup/trivy.sh")"
kubernetes="$("$ROOT/setup/kubernetes.sh")"
recipe="$(cat "$client/SHA256SUMS" "$trivy/SHA256SUMS" "$kubernetes/SHA256SUMS" "${BASH_SOURCE[0]}" | sums | cut -c 1-12)"

made() { docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$tag" 2>/dev/null; }
if [ "$(made || true)" = "$recipe" ]; then exit 0; fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
bin="$work/usr/local/bin"
plugins="$work/usr/local/libexec/docker/cli-plugins"
mkdir -p "$bin" "$plugins"
cp "$client/docker" "$trivy/trivy" "$kubernetes/kubectl" "$bin"
cp "$client/docker-buildx" "$plugins"
chmod -R u=rwX,go=rX "$work/usr"
say "making $tag of docker, buildx, trivy and kubectl"
# Names, owners and times that do not depend on this machine: the same programs are the same layer everywhere.
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$work/tools.tar" usr
logged "$LOGS/step-tools.log" "$tag cannot be made" "see the engine's log" \
    docker import --change "LABEL $label=$recipe" "$work/tools.tar" "$tag"
