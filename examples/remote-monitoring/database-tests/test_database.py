"""Who may enter the database, and what it writes down."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

Enter = Callable[..., Connection]


@pytest.mark.requirement("RM-012")
def test_the_role_enters_with_its_password_and_owns_its_schema(enter: Enter) -> None:
    connection = enter()
    connection.run("CREATE TEMPORARY TABLE here (id integer)")
    assert connection.run(
        "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    ) == [[False, False, False]]
    assert connection.run("SHOW data_checksums") == [["on"]]
    connection.close()


@pytest.mark.requirement("RM-012")
@pytest.mark.parametrize(
    "changed",
    [{"password": "guessed"}, {"user": "postgres"}, {"database": "postgres"}, {"database": "template1"}],
)
def test_everybody_else_is_sent_away(enter: Enter, changed: dict[str, str]) -> None:
    with pytest.raises((DatabaseError, InterfaceError)):
        enter(**changed)


@pytest.mark.requirement("RM-012")
@pytest.mark.parametrize("asked", ["SELECT pg_read_file('/etc/passwd')", "COPY (SELECT 1) TO PROGRAM 'true'"])
def test_the_role_may_not_administer(enter: Enter, asked: str) -> None:
    connection = enter()
    with pytest.raises(DatabaseError, match="42501"):  # insufficient_privilege
        connection.run(asked)
    connection.close()


@pytest.mark.requirement("RM-010")
def test_statements_and_their_parameters_are_never_logged(enter: Enter) -> None:
    connection = enter()
    for name in ("log_parameter_max_length", "log_parameter_max_length_on_error"):
        assert connection.run(f"SHOW {name}") == [["0"]]
    assert connection.run("SHOW log_statement") == [["none"]]
    assert connection.run("SHOW log_min_error_statement") == [["panic"]]
    connection.close()


@pytest.mark.requirement("RM-012")
@pytest.mark.parametrize("password", ["", "it's", "a b", 'x"; --'])
def test_a_start_without_a_good_password_is_refused(password: str, tmp_path: Path) -> None:
    environment = {
        "DATABASE_PASSWORD": password,
        "PGDATA": str(tmp_path / "data"),
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        ["/opt/database/start.sh"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "DATABASE_PASSWORD" in done.stderr
    assert not (tmp_path / "data").exists()
