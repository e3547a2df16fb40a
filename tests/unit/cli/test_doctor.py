"""`autoclave doctor` on machines that lack something: it works all the same, and says what to type."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from autoclave.cli.commands import doctor
from autoclave.cli.commands.doctor import files, machine, programs, scanning
from autoclave.cli.commands.doctor.subject import Check, Subject, find_subject
from autoclave.context import Context
from autoclave.device.device_file import parse
from autoclave.device.schema import Device
from autoclave.engines.base import EngineInfo
from autoclave.errors import DatabaseError, DoctorFailed, EngineError, ToolError
from autoclave.model.facts import Database
from autoclave.policy.load import read_profile
from autoclave.scanners.base import Scanner, Versions
from autoclave.tools import find
from autoclave.tools.examine import Here, State

DEVICE = """
[device]
name = "oximeter"
version = "1.0.0"
safety-class = "B"

[[image]]
name = "app"
secrets = [{ id = "token", env = "TOKEN" }]
"""
CLUSTER = """
[[environment]]
name = "clinic"
target = "kubernetes"

[environment.kubernetes]
namespace = "clinic"
chart = "chart"
"""
NOW = datetime(2026, 11, 30, tzinfo=UTC)
ABOUT = EngineInfo(name="docker 29", kernel="6.1", probe_host="127.0.0.1", clock=f"{NOW:%Y-%m-%dT%H:%M:%S}Z")


class Screen:
    """What was shown."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def result(self, text: str, data: Any) -> None:
        self.lines.append(text)


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def context(tmp_path: Path, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A context in an empty folder, without an engine and without a home folder."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    options = doctor.Options(folder=str(tmp_path))

    def fail(*_: object) -> None:
        raise EngineError("the container engine does not answer", why="no socket", next="start it")

    monkeypatch.setattr("autoclave.engines.create", fail)
    monkeypatch.setattr(files, "_LEAST_DISK", 0)  # of the folder of tests there may be little
    return Context(options, cast(Any, screen))


def device(text: str) -> Device:
    return parse(text.encode(), source="autoclave.toml")


def test_a_machine_with_nothing_gets_a_fix_for_each_thing(context: Context, screen: Screen) -> None:
    opts = doctor.Options(
        folder=str(context.folder), scanners=doctor.ScannerOptions(scanner_command="/nonexistent/trivy")
    )
    with pytest.raises(DoctorFailed) as caught:
        doctor._run(opts, context)
    assert caught.value.what == "2 of 9 checks failed: engine, scanner"
    shown = "\n".join(screen.lines)
    assert f"✔ device    no autoclave.toml in {context.folder}; 'autoclave init' writes one." in shown
    assert "✘ engine    the container engine does not answer (no socket)\n            fix: start it" in shown
    assert "fix: 'autoclave tools install trivy' gets" in shown
    assert "✔ store     0 MiB in" in shown
    assert not (context.folder / ".autoclave").exists()


def test_a_device_file_that_is_wrong_is_one_check_and_the_others_go_on(context: Context) -> None:
    (context.folder / "autoclave.toml").write_text("[device]\nname = 1\n")
    subject, check = find_subject(context)
    assert not check.fine and check.name == "device"
    assert subject == Subject(None, read_profile("C"))


def test_a_device_is_named_and_its_class_judges(context: Context) -> None:
    (context.folder / "autoclave.toml").write_text(DEVICE)
    subject, check = find_subject(context)
    assert check.seen == f"oximeter 1.0.0, class B, in {context.folder}"
    assert subject.policy == read_profile("B")


def test_a_fix_of_several_lines_is_shown_as_one_block(context: Context, screen: Screen) -> None:
    doctor._show(Check("engine", fine=False, seen="closed", fix="one\ntwo"), context)
    assert screen.lines == ["✘ engine    closed\n            fix: one\n                 two"]


@pytest.mark.parametrize(
    ("builder", "text", "fine"),
    [("classic", DEVICE, False), ("buildkit", DEVICE, True), ("classic", "", True)],
)
def test_the_builder_must_be_buildkit_where_a_build_has_secrets(builder: str, text: str, fine: bool) -> None:
    engine = SimpleNamespace(info=lambda: ABOUT, builder=lambda: builder, buildkit_hint="install it")
    ctx = cast(Context, SimpleNamespace(engine=engine, now=lambda: NOW))
    subject = Subject(device(text) if text else None, read_profile("B"))
    found = machine.check_engine(subject, ctx)
    assert [each.name for each in found] == ["engine", "builder", "clock"]
    assert found[1].fine is fine


def test_an_engine_without_a_client_is_an_engine_all_the_same() -> None:
    def fail() -> str:
        raise ToolError("the command 'docker' is not installed", next="install it")

    engine = SimpleNamespace(info=lambda: ABOUT, builder=fail, buildkit_hint="")
    ctx = cast(Context, SimpleNamespace(engine=engine, now=lambda: NOW + timedelta(minutes=5)))
    found = machine.check_engine(Subject(None, read_profile("B")), ctx)
    assert [each.fine for each in found] == [True, False, False]
    assert "300 s from the engine's" in found[2].seen


class Answering:
    """A scanner that says what it is given."""

    name = "toy"

    def __init__(self, answer: Versions | DatabaseError) -> None:
        self._answer = answer

    def versions(self) -> Versions:
        if isinstance(self._answer, DatabaseError):
            raise self._answer
        return self._answer


def checks_of(answer: Versions | DatabaseError) -> list[Check]:
    return scanning._check_scanner(cast(Scanner, Answering(answer)), read_profile("C"), NOW)


def test_a_missing_database_is_no_missing_scanner() -> None:
    found = checks_of(DatabaseError("the database is missing", next="autoclave database update"))
    assert [(each.name, each.fine) for each in found] == [("scanner", True), ("database", False)]
    assert found[1].fix == "autoclave database update"


@pytest.mark.parametrize(("hours", "fine"), [(1, True), (25, False), (-1, False)])
def test_a_database_is_judged_by_its_age(hours: int, fine: bool) -> None:
    database = Database(updated=NOW - timedelta(hours=hours), digest="sha256:" + "1" * 64)
    found = checks_of(Versions(version="1", database=database, renew="renew it"))
    assert found[1].fine is fine
    assert found[1].fix == "renew it"


def test_programs_are_those_that_an_environment_needs() -> None:
    assert programs.find_needed(device(DEVICE)) == {}
    assert programs.find_needed(device(DEVICE + CLUSTER)) == {"kubectl": "clinic", "helm": "clinic"}


@pytest.mark.parametrize(
    ("state", "fine", "seen"),
    [
        (State.MISSING, False, "missing: environment 'clinic' needs it"),
        (State.ACCEPTED, True, "1.34.4 /usr/bin/kubectl"),
        (State.OTHER, True, "1.29.0 /usr/bin/kubectl, not one of the versions tested (1.33 to below 1.36)"),
    ],
)
def test_another_version_of_kubectl_is_reported_and_not_refused(state: State, fine: bool, seen: str) -> None:
    version = {State.ACCEPTED: "1.34.4", State.OTHER: "1.29.0"}.get(state, "")
    path = "/usr/bin/kubectl" if version else ""
    check = programs._check(Here(find("kubectl"), state, path=path, version=version), "clinic")
    assert (check.fine, check.seen) == (fine, seen)
    assert check.fix == "autoclave tools install kubectl"


def test_keys_that_cannot_be_made_say_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent/config")
    monkeypatch.setattr(files.os, "access", lambda *_: False)
    check = files.check_keys()
    assert not check.fine
    assert check.fix.startswith("set HOME to a folder that can be written")


def test_sizes_follow_no_link_and_skip_what_vanishes(tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "blob").write_bytes(b"x" * 5000)
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "blob").write_bytes(b"x" * 100)
    (tmp_path / "store" / "link").symlink_to("../big")
    os.mkfifo(tmp_path / "store" / "fifo")
    assert files.measure(tmp_path / "store") < 200
    assert files.measure(tmp_path / "none") == 0
    (tmp_path / ".autoclave").symlink_to("big")
    assert files.measure(tmp_path / ".autoclave") == 0


def test_a_cache_inside_of_another_is_measured_once(context: Context) -> None:
    inner = context.folder / "home" / "autoclave" / "trivy"
    inner.mkdir(parents=True)
    options = doctor.ScannerOptions(scanner_cache=str(inner))
    assert files._list_caches(options, context) == [inner.parent]
