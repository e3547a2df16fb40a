"""A container whose program is missing is a mistake in the device file, and not a failure of the engine."""

from __future__ import annotations

import pytest

from autoclave.errors import ConfigError, EngineError
from autoclave.harness.lifecycle import explain_start

RUNC = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start process: "


@pytest.mark.parametrize(
    ("why", "says"),
    [
        (RUNC + 'exec: "pytest": executable file not found in $PATH: unknown', "has no program 'pytest'"),
        (
            RUNC + 'exec: "/opt/tests/a": stat /opt/tests/a: no such file or directory: unknown',
            "has no program '/opt/tests/a'",
        ),
        (RUNC + 'exec: "/etc/passwd": permission denied: unknown', "cannot run '/etc/passwd'"),
        (RUNC + 'exec: "/a": exec format error: unknown', "cannot run '/a'"),
        (
            "crun: executable file `pytest` not found in $PATH: No such file or directory",
            "has no program 'pytest'",
        ),
    ],
)
def test_a_missing_program_is_named_with_the_way_out(why: str, says: str) -> None:
    error = explain_start(EngineError("the engine does not start the container", why=why))
    assert isinstance(error, ConfigError)
    assert says in error.what
    assert "unit-test.stage" in error.next
    assert "OCI runtime" not in error.what + error.why + error.next


def test_another_refusal_of_the_engine_stays_what_it_is() -> None:
    error = EngineError("the engine does not start the container", why="no space left on device")
    assert explain_start(error) is error
