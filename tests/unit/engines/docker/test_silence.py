"""Why the engine does not answer, in words that say what to type."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from autoclave.engines.docker.silence import Silence, User, explain, explain_refusal, read_socket

ADA = User("ada", frozenset({1000}))


def wrapped(code: int) -> Exception:
    """Return an error of the connection as the SDK wraps it: the system's own one is an argument."""
    inner = Exception("Connection aborted.", OSError(code, os.strerror(code)))
    outer = Exception(f"Error while fetching server API version: {inner}")
    outer.__cause__ = inner
    return outer


def test_a_user_outside_of_the_group_gets_the_command() -> None:
    found = explain_refusal("/var/run/docker.sock", "docker", 998, ADA)
    assert found.why == "ada may not use /var/run/docker.sock, which is for members of the group docker"
    assert found.next.startswith("sudo usermod -aG docker ada, then log out and in again (or: newgrp docker)")
    assert "the rights of root" in found.next


def test_a_member_whose_session_is_older_logs_in_again() -> None:
    user = User("ada", frozenset({1000}), is_listed=True)
    found = explain_refusal("/run/docker.sock", "docker", 998, user)
    assert found.why.endswith("ada became one after this session began")
    assert found.next == "log out and in again, or for this terminal: newgrp docker"


def test_a_member_who_is_refused_all_the_same_looks_at_the_socket() -> None:
    user = User("ada", frozenset({998}), is_listed=True)
    assert "ls -l /run/docker.sock" in explain_refusal("/run/docker.sock", "docker", 998, user).next


def test_a_container_s_user_without_a_name_gets_the_group_s_number() -> None:
    found = explain_refusal("/var/run/docker.sock", "998", 998, User("10001", frozenset({0})))
    assert found.next.startswith("in a container, start it with: --group-add 998")


def test_nobody_is_told_to_join_the_group_root() -> None:
    found = explain_refusal("/var/run/docker.sock", "root", 0, ADA)
    assert "usermod" not in found.next
    assert "DOCKER_HOST" in found.next


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (errno.ENOENT, "there is no socket at /run/x.sock"),
        (errno.ECONNREFUSED, "nothing listens on /run/x.sock: the engine was stopped"),
        (errno.EACCES, "may not use /run/x.sock"),
    ],
)
def test_the_system_s_own_error_is_found_in_what_wraps_it(code: int, why: str) -> None:
    found = explain(wrapped(code), "unix:///run/x.sock")
    assert why in found.why
    assert found.next


def test_an_engine_elsewhere_is_named() -> None:
    found = explain(wrapped(errno.ECONNREFUSED), "tcp://10.0.0.5:2375")
    assert found == Silence(
        "tcp://10.0.0.5:2375: Connection refused",
        "check that it runs, and what DOCKER_HOST names ('docker version' asks it too)",
    )


def test_an_unknown_error_is_shown_bounded_and_a_loop_of_causes_ends() -> None:
    error = Exception("x" * 9999)
    error.__context__ = other = Exception("y", error)
    other.__cause__ = error
    assert len(explain(error, "unix:///run/x.sock").why) < 400


def test_the_group_of_a_socket_is_read(tmp_path: Path) -> None:
    (tmp_path / "s").touch()
    group, gid, user = read_socket(str(tmp_path / "s"))
    assert gid == (tmp_path / "s").stat().st_gid
    assert group and user.name
    assert read_socket(str(tmp_path / "none"))[0] == "docker"
