#!/usr/bin/env bash
# The base image of the examples in the engine: there already, else pulled, else an offline stand-in.
#
# The stand-in is Debian 12 with Debian's own Python, made by mmdebstrap from the machine's package mirror and
# tagged with the name that a Dockerfile's FROM uses. It is kept in the cache and checked before it is used again.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
label=dev.autoclave.stand-in
own_ca=/usr/local/share/ca-certificates
shopt -s nullglob
certificates=("$own_ca"/*.crt) # the machine's own, such as that of a company's proxy

recipe="$(key "${BASH_SOURCE[0]}" ${certificates[@]+"${certificates[@]}"})"
tar="$CACHE/base/bookworm-$recipe.tar"

loud() {
    note "NOTE: $BASE_IMAGE in this engine is a STAND-IN made here from Debian packages,"
    note "      not the published image. Good for demonstrations and tests, not for a release."
}

# The hook runs outside the new tree, with its path as argument: make python and pip behave as in the published image.
hook() {
    cat <<'HOOK'
set -eu
ln -s /usr/bin/python3 "$1/usr/local/bin/python"
rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED
find "$1/usr/lib/python3/dist-packages" -name __pycache__ -prune -exec rm -rf {} +
HOOK
    # A pip in a build needs the same certificates as the machine around it.
    if [ ${#certificates[@]} -gt 0 ]; then
        cat <<'HOOK'
cp -L /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/"
chroot "$1" update-ca-certificates
HOOK
    fi
    # shellcheck disable=SC2016 # for the hook's shell
    echo 'rm -rf "$1"/var/log/* "$1"/var/cache/*'
}

make() {
    if ! command -v mmdebstrap >/dev/null; then
        may_apt || die "no base image" \
            "$BASE_IMAGE is not in the engine and cannot be pulled, and only root on Debian can make the stand-in" \
            "docker pull $BASE_IMAGE where there is a network, or docker load it from a file"
        apt_add mmdebstrap
    fi
    say "making the stand-in for $BASE_IMAGE with mmdebstrap, log in $LOGS/base-image.log"
    # Small, because every build, scan and deployment of a test reads all of it: without usr-is-merged a package that
    # merges /usr brings the whole of Perl.
    # Not local: the trap runs after this function.
    work="$(mktemp -d)"
    trap 'rm -rf "$work"' EXIT
    hook >"$work/hook"
    mkdir -p "$CACHE/base"
    logged "$LOGS/base-image.log" "the stand-in for the base image cannot be made" \
        "check that apt-get update works on this machine" \
        mmdebstrap --variant=minbase --include=python3,python3-pip,ca-certificates,usr-is-merged \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --skip=output/dev \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --customize-hook="sh '$work/hook' \"\$1\"" bookworm "$work/base.tar"
    mv "$work/base.tar" "$tar.new"
    mv "$tar.new" "$tar"
    sha256 "$tar" >"$tar.sha256"
}

kept() { [ -s "$tar" ] && [ -s "$tar.sha256" ] && [ "$(sha256 "$tar")" = "$(cat "$tar.sha256")" ]; }

# Prints nothing when the tag is absent, "published" or the recipe of a stand-in otherwise.
present() {
    docker image inspect --format "{{or (index .Config.Labels \"$label.recipe\") \"published\"}}" "$BASE_IMAGE" 2>/dev/null
}

case "$(present || true)" in
published) exit 0 ;;
"$recipe") loud && exit 0 ;;
esac
if within 120 docker pull -q "$BASE_IMAGE" >"$LOGS/pull.log" 2>&1; then exit 0; fi
note "$BASE_IMAGE cannot be pulled: $(tail -n 1 "$LOGS/pull.log")"
if ! kept; then make; fi
logged "$LOGS/import.log" "the stand-in cannot be imported" "see the engine's log" \
    docker import --change "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin" \
    --change "ENV LANG=C.UTF-8" --change 'CMD ["python3"]' \
    --change "LABEL $label=true $label.recipe=$recipe" "$tar" "$BASE_IMAGE"
loud
