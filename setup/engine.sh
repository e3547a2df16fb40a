#!/usr/bin/env bash
# A container engine that answers: the installed one, else Debian's docker.io, started here.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

answers() { [ -n "$(within 10 docker version --format '{{.Server.Version}}' 2>/dev/null)" ]; }

wait_for_engine() { # SECONDS
    local end=$((SECONDS + $1))
    until answers; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.5
    done
}

add_engine() {
    apt_add docker.io iptables iproute2
    # From Debian 13 on the client is a package of its own.
    if ! command -v docker >/dev/null; then apt_add docker-cli; fi
}

start() {
    say "starting dockerd, log in $LOGS/dockerd.log"
    nohup setsid dockerd --storage-driver overlay2 >"$LOGS/dockerd.log" 2>&1 </dev/null &
    wait_for_engine 60 && return
    tail -n 20 "$LOGS/dockerd.log" | sed 's/^/    | /' >&2
    die "the container engine does not start" "dockerd did not answer within 60 s; see $LOGS/dockerd.log above" \
        "start an engine by hand, or set DOCKER_HOST to one, then retry"
}

if answers; then exit 0; fi
[ -z "${DOCKER_HOST:-}" ] || die "the container engine does not answer" \
    "DOCKER_HOST is $DOCKER_HOST and nothing answers there, or no docker client is on PATH" \
    "start that engine, or unset DOCKER_HOST"
may_apt || die "no container engine answers" \
    "docker version gets no answer, and one can be installed automatically only by root on Debian" \
    "start Docker (or Podman's Docker service with DOCKER_HOST), then retry"
if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then add_engine; fi
if [ -d /run/systemd/system ]; then
    systemctl start docker || die "the container engine does not start" "systemctl start docker failed" \
        "see: journalctl -u docker"
    wait_for_engine 60 || die "the container engine does not answer" "docker.service runs, but docker version gets no answer" \
        "see: journalctl -u docker"
elif ! answers; then
    start
fi
