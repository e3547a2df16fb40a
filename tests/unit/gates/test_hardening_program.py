"""The released program runs: not another command, not code that a volume or a variable brings."""

from __future__ import annotations

from typing import Any

import pytest

from autoclave.gates.hardening import Pod
from autoclave.gates.hardening.program import CHECKS, list_programs

SETTINGS = {"paths": {"PRELOAD": "/data/x.so", "LD_PRELOAD": "/data/x.so"}, "plain": {"LIMIT": "90"}}


def ids(**container: Any) -> set[str]:
    pod = Pod("Deployment/app", "Deployment", {"containers": [container]}, settings=SETTINGS)
    return {check.id for check in CHECKS if check.of(pod, container)}


@pytest.mark.parametrize(
    "path",
    [
        "/", "/app", "/app/", "//app", "/opt", "/usr", "/usr/bin", "/usr/local/lib/python3.11/x",
        "/x/site-packages/y", "/lib/x86_64-linux-gnu/libc.so.6", "/bin/sh",
        "/app/main.py", "/srv/x/server.JS", "/opt/app/bin",
        "/app/node_modules", "/etc", "/etc/ld.so.preload", "/app/./bin/../bin/run", "/opt/tool.jar",
    ],
)  # fmt: skip
def test_a_volume_over_programs_is_found(path: str) -> None:
    assert ids(volumeMounts=[{"name": "x", "mountPath": path}]) == {"AK-PROGRAM-MOUNT"}


@pytest.mark.parametrize(
    "path",
    [
        "/tmp", "/data", "/var/lib/postgresql/data", "/var/lib/bin", "/run/secrets/x",
        "/etc/pump/x.toml", "/app/data", "/opt/keycloak/conf/x.conf",
        "/usr/share/nginx/html", "/srv/files",
        "/var/cache/app", "/etc/ssl/certs", "/home/service/.cache", "/dev/shm",
    ],
)  # fmt: skip
def test_a_volume_for_data_is_fine(path: str) -> None:
    assert ids(volumeMounts=[{"name": "x", "mountPath": path}]) == set()


@pytest.mark.parametrize(
    "variable",
    [
        {"name": "LD_PRELOAD", "value": "/data/x.so"},
        {"name": "PYTHONPATH", "value": "/data"},
        {"name": "PATH", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "y"}}},
        {"name": "NODE_OPTIONS", "value": "--require /data/x.js"},
        {"name": "NODE_OPTIONS", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}},
        {"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx64m -javaagent:/data/x.jar"},
    ],
)
def test_a_variable_that_loads_code_is_found(variable: dict[str, Any]) -> None:
    assert ids(env=[variable]) == {"AK-LOADER"}


@pytest.mark.parametrize(
    "variable",
    [
        {"name": "NODE_OPTIONS", "value": "--max-old-space-size=256"},
        {"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx64m"},
        {"name": "PATH_PREFIX", "value": "/x"},
        {"name": "ENV", "value": "production"},
        {"name": "JAVA_OPTS", "value": "-Dmail=a@b.example"},
        {"name": "PYTHONUNBUFFERED", "value": "1"},
        {},
    ],
)
def test_an_ordinary_variable_is_fine(variable: dict[str, Any]) -> None:
    assert ids(env=[variable]) == set()


def test_another_command_and_other_arguments_are_found() -> None:
    assert ids(command=["python", "-c", "x"]) == {"AK-COMMAND"}
    assert ids(args=["--unsafe"]) == {"AK-ARGUMENTS"}
    assert ids(command=[], args=None) == set()
    assert ids(readinessProbe={"exec": {"command": ["pg_isready"]}}) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ({"configMapRef": {"name": "paths"}}, {"AK-LOADER"}),
        ({"configMapRef": {"name": "paths"}, "prefix": "LD_"}, {"AK-LOADER"}),
        ({"configMapRef": {"name": "paths"}, "prefix": "X_"}, set()),
        ({"configMapRef": {"name": "plain"}}, set()),
        ({"configMapRef": {"name": "elsewhere"}}, set()),
        ({"secretRef": {"name": "paths"}}, set()),
    ],
)
def test_variables_out_of_a_config_map_are_looked_at(source: dict[str, Any], found: set[str]) -> None:
    assert ids(envFrom=[source]) == found


def test_other_ways_to_another_program_are_found() -> None:
    assert ids(workingDir="/data") == {"AK-COMMAND"}
    assert ids(lifecycle={"postStart": {"exec": {"command": ["sh"]}}}) == {"AK-COMMAND"}
    assert ids(lifecycle={"preStop": {"exec": {"command": ["sleep", "5"]}}}) == set()


@pytest.mark.parametrize(
    ("command", "folder", "places"),
    [
        (["python", "app.py"], "/srv/x", {"/srv/x", "/srv/x/app.py"}),
        (["python", "-m", "pump"], "/srv/x", {"/srv/x", "/srv/x/pump"}),
        (["/srv/bin/pump"], "/data", {"/srv/bin/pump"}),
        (["./pump"], "/data", {"/data", "/data/pump"}),
        (["pump"], "/data", set()),
        (["pump", "--data=/data"], "/data", set()),
        (["java", "-jar", "/opt/x/pump.jar"], "", {"/opt/x/pump.jar"}),
        ([], "/data", set()),
    ],
)
def test_what_an_image_runs_is_at_these_places(command: list[str], folder: str, places: set[str]) -> None:
    assert list_programs(command, folder) == places
