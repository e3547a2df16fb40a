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


@pytest.mark.parametrize(
    ("word", "paths"),
    [
        ("exec /srv2/x", {"/srv2/x"}),
        ("cd /srv2 && exec '/opt/x/run' \"/opt/y\"", {"/srv2", "/opt/x/run", "/opt/y"}),
        ("/srv2/a;/srv2/b|/srv2/c&/srv2/d", {"/srv2/a", "/srv2/b", "/srv2/c", "/srv2/d"}),
        ("exec(open('/srv2/x').read())", {"/srv2/x"}),
        ("python -I/srv2/lib x", {"/srv2/lib"}),
        ("//srv2/x", {"/srv2/x"}),
        ("LIB=/srv2/lib exec x", {"/srv2/lib"}),
        ("exec x >/var/log/x 2> /var/log/y </srv2/in", {"/srv2/in"}),
        ("exec x >/dev/null;/srv2/x", {"/srv2/x"}),
        ("curl http://h/srv2/x https://h:8443/y", set()),
        ("exec $HOME/x ${HOME}/y $(pwd)/z ~/a ./b ../c d/e", set()),
        ("exec /srv2/$NAME /srv3/*.jar", {"/srv2", "/srv3"}),
        ("exec x --data-dir=/data --plugins=/srv2", {"/srv2"}),
    ],
)
def test_each_absolute_path_that_a_shell_reads_is_a_place(word: str, paths: set[str]) -> None:
    found = list_programs(["/bin/sh", "-c", word], "/work")
    words = {"/" + word.lstrip("/"), "/bin/sh"}  # a word is a place as a whole, too
    assert all(each.startswith("/work") for each in found - paths - words)
    assert paths <= found


@pytest.mark.parametrize(
    ("option", "places"),
    [
        ("--require=/srv2/hook.js", {"/srv2/hook.js"}),
        ("--plugins=/srv2", {"/srv2"}),
        ("-javaagent:/srv2/x.jar=port", {"/srv2/x.jar"}),
        ("-Xbootclasspath/a:/srv2/x.jar", {"/srv2/x.jar"}),
        ("-Djava.library.path=/srv2:/srv3/lib", {"/srv2", "/srv3/lib"}),
        ("-Dlog4j.configurationFile=file:///srv2/x.xml", {"/srv2/x.xml"}),
        ("--import=file://localhost/srv2/x.mjs", {"/srv2/x.mjs"}),
        ("-I/srv2/lib", {"/srv2/lib"}),
        ("@/srv2/options", {"/work", "/work/@/srv2/options", "/srv2/options"}),
        ("--require=./hook.js", {"/work", "/work/hook.js"}),
        ("--app=main.py", {"/work", "/work/main.py"}),
        ("--config=/srv2/config.py", {"/srv2/config.py"}),  # a program by its name
        ("--config=lib/run.so.1", {"/work", "/work/lib/run.so.1"}),
        # data, and what is not a path
        ("--data-dir=/data", set()),
        ("--storage.tsdb.path=/prometheus", set()),
        ("--config.file=/etc/pump/pump.yml", set()),
        ("--log-file=/var/log/x", set()),
        ("--pid-file=/run/x.pid", set()),
        ("-Dspring.config.location=/etc/pump/", set()),
        ("-Djavax.net.ssl.trustStore=/etc/pump/ca", set()),
        ("--url=https://h/srv2/x", set()),
        ("--socket=unix:///run/x.sock", set()),
        ("--mime=text/html", set()),
        ("--dsn=postgres://u@h:5432/db", set()),
        ("--address=0.0.0.0:80", set()),
    ],
)
def test_each_absolute_path_in_an_option_is_a_place_but_for_data(option: str, places: set[str]) -> None:
    assert list_programs(["pump", option], "/work") == places


def test_a_volume_over_what_a_shell_runs_is_found() -> None:
    places = list_programs(["/bin/sh", "-c", "exec /srv2/x/run"], "/")
    for path, found in (("/srv2", True), ("/srv2/x", True), ("/srv2/x/run", True), ("/srv2/data", False)):
        container = {"name": "a", "volumeMounts": [{"name": "x", "mountPath": path}]}
        pod = Pod("Deployment/app", "Deployment", {"containers": [container]}, programs={"a": places})
        assert any(check.of(pod, container) for check in CHECKS) is found, path


def test_a_long_command_is_read_in_time() -> None:
    for word in ("a." * 50_000, "/" * 100_000, ">" * 100_000, "-" * 100_000, "--a=" * 25_000, "a:/" * 30_000):
        list_programs(["sh", "-c", word], "/")
