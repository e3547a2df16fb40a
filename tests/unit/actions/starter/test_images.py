"""Which images there are: Dockerfiles, stages, arguments, contexts, and what compose files say of them."""

# ruff: noqa: E501 -- a file's text in one line reads better

from __future__ import annotations

from typing import Any

import pytest

from autoclave.actions.starter import draft as drafts
from builders.starter import device_file, draft_of, left_of

BUILD = "FROM golang:1.25 AS build\nCOPY . .\n"


def images(files: dict[str, str]) -> list[dict[str, Any]]:
    """Return the images of the device file."""
    return list(device_file(draft_of(files))["image"])


def test_stages_that_an_argument_selects_become_images() -> None:
    file = "ARG ROLE\nFROM debian AS role-pump\nCMD a\nFROM debian AS role-alarm\nEXPOSE 9\nCMD b\nFROM role-${ROLE}\n"
    found = {each["name"]: each for each in images({"Dockerfile": file})}
    assert {name: each["args"] for name, each in found.items()} == {
        "pump": {"ROLE": "pump"},
        "alarm": {"ROLE": "alarm"},
    }
    assert found["alarm"]["service"]["port"] == 9


def test_an_argument_that_names_a_folder_becomes_an_image_for_each() -> None:
    file = (
        BUILD
        + "ARG CMD\nRUN go build -o /app ./cmd/${CMD}\nFROM debian\nCOPY --from=build /app /app\nCMD /app\n"
    )
    found = images({"Dockerfile": file, "cmd/pump/main.go": "", "cmd/alarm/main.go": "", "cmd/doc.go": ""})
    assert [(each["name"], each["args"]) for each in found] == [
        ("alarm", {"CMD": "alarm"}),
        ("pump", {"CMD": "pump"}),
    ]


def test_an_argument_with_a_default_selects_nothing() -> None:
    file = "ARG BASE=debian:12\nFROM ${BASE}\nCMD a\n"
    assert [each["name"] for each in images({"Dockerfile": file})] == ["dose-engine"]


def test_several_stages_that_start_something_are_images() -> None:
    file = BUILD + "FROM debian AS api\nCMD a\nFROM debian AS worker\nCMD b\nFROM debian AS debug\nCMD c\n"
    assert [(each["name"], each["target"]) for each in images({"Dockerfile": file})] == [
        ("api", "api"),
        ("worker", "worker"),
    ]


@pytest.mark.parametrize(
    ("path", "copied", "there", "context"),
    [
        ("docker/Dockerfile", "src", "src/a.c", "."),
        ("services/api/Dockerfile", "app.py", "services/api/app.py", "services/api"),
        ("services/api/Dockerfile", "services/api/app.py", "services/api/app.py", "."),
        ("a/docker/Dockerfile", "src/*.c", "a/src/x.c", "a"),
        ("build/Dockerfile", ".", "package.json", "."),
        ("build/Dockerfile", "nowhere", "package.json", "."),
        ("api/Dockerfile", ".", "package.json", "api"),
    ],
)
def test_the_context_is_where_the_copied_files_are(path: str, copied: str, there: str, context: str) -> None:
    files = {path: f"FROM debian\nCOPY {copied} /app\nCMD a\n", there: "{}"}
    assert images(files)[0].get("context", ".") == context


@pytest.mark.parametrize(
    "name", ["Dockerfile.md", "Dockerfile.dockerignore", "Dockerfile.j2", "dockerfiles.txt"]
)
def test_what_is_no_dockerfile_is_none(name: str) -> None:
    draft = draft_of({name: "FROM debian\n"})
    assert draft.parts == ()
    assert any("no Dockerfile was found" in each for each in left_of(draft))
    assert device_file(draft)["image"] == [{"name": "dose-engine", "dockerfile": "Dockerfile"}]


def test_dockerfiles_for_development_and_tests_are_left_out_and_can_be_added() -> None:
    files = dict.fromkeys(
        ("Dockerfile", "Dockerfile.dev", "e2e/Dockerfile", ".devcontainer/Dockerfile"), "FROM x\nCMD a\n"
    )
    draft = draft_of(files)
    assert [each.image.name for each in draft.parts] == ["dose-engine"]
    assert sorted(each.image.name for each in draft.doubtful) == ["dev", "devcontainer", "e2e"]
    added = drafts.with_images(draft, ["dose-engine", "e2e"])
    assert [each["name"] for each in device_file(added)["image"]] == ["dose-engine", "e2e"]


def test_compose_decides_context_stage_arguments_and_port() -> None:
    compose = """
services:
  pump:
    build: {context: src, dockerfile: ../docker/pump.Dockerfile, target: runtime, args: {A: b}}
    ports: ["8443:9000/tcp", "53:53/udp"]
    environment: ["MODE=clinic", "ADMIN_PASSWORD=hunter2", "URL=http://ada:pw@host/", "FROM_HOST"]
"""
    file = "FROM debian AS runtime\nCMD a\nFROM runtime AS extra\nCMD b\n"
    data = device_file(draft_of({"docker/pump.Dockerfile": file, "compose.yaml": compose, "src/a": ""}))
    (image,) = data["image"]
    assert image["name"] == "pump"
    assert (image["context"], image["dockerfile"], image["target"]) == (
        "src",
        "../docker/pump.Dockerfile",
        "runtime",
    )
    assert image["service"]["environment"] == {"MODE": "clinic"}
    assert data["environment"][0]["publish"] == {"pump": 8443}


def test_a_service_with_a_digest_runs_beside_the_tests() -> None:
    pinned = f"postgres:17@sha256:{'a' * 64}"
    compose = f"services:\n  api: {{build: ., depends_on: {{db: {{}}}}}}\n  db: {{image: '{pinned}'}}\n"
    files = {
        "Dockerfile": "FROM python\nCMD a\n",
        "compose.yml": compose,
        "requirements.txt": "pytest",
        "test_a.py": "",
    }
    (service,) = device_file(draft_of(files))["unit-test"]["service"]
    assert (service["name"], service["image"], service["user"]) == ("db", pinned, "999")
    assert service["health"][0] == "pg_isready"


def test_a_health_check_of_the_image_needs_no_other() -> None:
    draft = draft_of({"Dockerfile": "FROM debian AS a\nHEALTHCHECK CMD true\nEXPOSE 80\nFROM a\nCMD b\n"})
    assert draft.parts[0].has_health
    assert not any("health check" in each for each in left_of(draft))


def test_a_probe_of_a_manifest_gives_the_path() -> None:
    manifest = "apiVersion: v1\nkind: Pod\nspec:\n  x:\n    httpGet:\n      port: 80\n      path: /healthz\n"
    data = device_file(draft_of({"Dockerfile": "FROM x\nEXPOSE 80\nCMD a\n", "deploy/pod.yaml": manifest}))
    assert data["image"][0]["service"]["health"] == "/healthz"


def test_a_health_check_that_is_a_command_stays_one() -> None:
    compose = "services:\n  a: {build: ., healthcheck: {test: [CMD, echoscu, localhost, '104']}, command: 'run --role a'}\n"
    (image,) = images(
        {"Dockerfile": "FROM x\nEXPOSE 104\nEXPOSE 105 514/udp\nCMD a\n", "compose.yml": compose}
    )
    assert image["service"]["health-command"] == ["echoscu", "localhost", "104"]
    assert image["service"]["arguments"] == ["run", "--role", "a"]
    assert image["service"]["ports"] == {"port-105-tcp": "105/tcp", "port-514-udp": "514/udp"}


def test_a_command_with_a_variable_is_not_taken_over() -> None:
    compose = "services:\n  a: {build: ., command: 'run --key $KEY'}\n"
    (image,) = images({"Dockerfile": "FROM x\nCMD a\n", "compose.yml": compose})
    assert "arguments" not in image["service"]


def test_declared_volumes_are_named() -> None:
    file = 'FROM x AS a\nVOLUME /var/lib/data /srv/data\nFROM a\nVOLUME ["/log"]\nVOLUME relative $X\nCMD a\n'
    (image,) = images({"Dockerfile": file})
    assert image["service"]["volumes"] == {"log": "/log", "data": "/var/lib/data", "data-2": "/srv/data"}
