"""`autoclave jenkins ...` on real signed records, against a double of Jenkins's remote access API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoclave.cli.main import main
from autoclave.hosts.jenkins import plugins
from autoclave.signers import development
from builders.devices import git
from builders.recorded_device import RecordedDevice
from doubles import jenkins_double
from doubles.jenkins_double import PREFIX, Double, Fault
from doubles.jenkins_state import Build

TOKEN = "token-of-the-bot"


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    monkeypatch.setattr("autoclave.runtime.retry.Retry.wait", lambda *_: None)
    monkeypatch.setattr("autoclave.hosts.jenkins.run._SHORTEST", 0.01)
    with jenkins_double.serve() as made:
        monkeypatch.delenv("GIT_COMMIT", raising=False)  # these tests may run in a build themselves
        for name, value in {
            "JENKINS_URL": made.url,
            "JOB_NAME": "devices/pump",
            "BUILD_NUMBER": "3",
            "AUTOCLAVE_JENKINS_USER": "bot",
            "AUTOCLAVE_JENKINS_TOKEN": TOKEN,
        }.items():
            monkeypatch.setenv(name, value)
        yield made
        assert made.violations == []


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordedDevice:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "device"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "remote", "add", "origin", "https://git.example.com/devices/pump.git")
    (folder / "Jenkinsfile").write_text("@Library('autoclave@v0.1.0') _\nautoclavePipeline()\n", "utf-8")
    return RecordedDevice(folder, "jenkins")


def provision(bench: RecordedDevice, *words: str) -> int:
    return bench.run("provision", "--jenkins-folder", "devices", *words)


# ---- provision


def test_the_difference_comes_first_and_a_dry_run_sends_nothing(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    assert provision(bench, "--dry-run") == 0
    shown = capsys.readouterr().out
    assert "+          <url>https://git.example.com/devices/pump.git</url>" in shown
    assert double.sent == []
    assert provision(bench, "--parameter", "ENVIRONMENT=staging", "--cron", "@daily") == 0
    assert capsys.readouterr().out.endswith("created devices\ncreated devices/pump\n")
    sent = len(double.sent)
    assert provision(bench) == 0
    assert "devices/pump is up to date\n" in capsys.readouterr().out
    assert len(double.sent) == sent == 2


def test_a_missing_library_or_jenkinsfile_line_is_reported(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    assert provision(bench) == 0
    assert "no folder around devices/pump has a library autoclave" in capsys.readouterr().err
    assert provision(bench, "--library-url", "https://git.example.com/platform/autoclave.git") == 0
    assert "WARNING" not in capsys.readouterr().err
    (bench.folder / "Jenkinsfile").write_text("@Library('autoclave@main') _\n", "utf-8")
    assert provision(bench) == 0
    output = capsys.readouterr().err
    assert (
        "Jenkinsfile loads autoclave@main; its first line must be: @Library('autoclave@v0.1.0') _" in output
    )
    assert "library autoclave is that of the folder devices" in output
    (bench.folder / "Jenkinsfile").unlink()
    assert provision(bench, "--dry-run") == 0
    assert "Jenkinsfile is not in the repository" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("--job", "a<b"),
        ("--job", ".."),
        ("--job", "pump\n"),
        ("--jenkins-folder", "a//b"),
        ("--git-url", "ext::sh -c id"),
        ("--git-url", "--upload-pack=id"),
        ("--git-url", "https://user:secret@git.example.com/pump.git"),
        ("--git-url", "ssh://-oProxyCommand=id/pump.git"),
        ("--branch", "-x"),
        ("--branch", "a..b"),
        ("--script", "../Jenkinsfile"),
        ("--script", "/etc/passwd"),
        ("--git-credentials", "a b"),
        ("--library", "autoclave"),
        ("--library", "autoclave@"),
        ("--parameter", "A-B=x"),
        ("--parameter", "A"),
        ("--parameter", "A=\x01"),
        ("--poll", "every day"),
        ("--cron", "* * * *"),
    ],
)
def test_hostile_names_are_refused_before_any_request(
    bench: RecordedDevice, double: Double, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert provision(bench, *words) == 2
    assert double.seen == []
    assert "secret" not in capsys.readouterr().err.replace("user:secret", "") or "git.example.com" in words[1]


# ---- run


def test_a_build_ends_as_it_ended_there(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    provision(bench, "--parameter", "ENVIRONMENT=staging")
    capsys.readouterr()
    assert main(["jenkins", "run", "devices/pump", "--parameter", "ENVIRONMENT=production"]) == 0
    output = capsys.readouterr()
    assert output.out == f"devices/pump #1 ended as SUCCESS: {double.url}/job/devices/job/pump/1/\n"
    assert "│ Finished: SUCCESS" in output.err
    for outcome in ("FAILURE", "UNSTABLE", "ABORTED", "NOT_BUILT"):
        double.outcome = outcome
        assert main(["jenkins", "run", "devices/pump"]) == 36
        assert f"ended as {outcome}" in capsys.readouterr().err


def test_machines_get_lines_of_json(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    provision(bench)
    capsys.readouterr()
    assert main(["jenkins", "run", "devices/pump", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"action": "run", "build": 1, "result": "SUCCESS"}.items() <= lines[-1].items()


def test_ctrl_c_leaves_the_build_running_and_says_so(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    provision(bench)

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    double.script = ["one\n", "two\n"]
    monkeypatch.setattr("autoclave.hosts.jenkins.run.Patience.wait", interrupt)
    double.waits = 0
    assert main(["jenkins", "run", "devices/pump"]) == 130
    output = capsys.readouterr().err
    assert "it continues in Jenkins" in output
    assert f"{double.url}/job/devices/job/pump/" in output
    assert not double.requests("POST", "stop")


def test_a_build_that_takes_too_long_is_not_followed_for_ever(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    provision(bench)
    double.waits = 1_000_000
    assert main(["jenkins", "run", "devices/pump", "--timeout", "1"]) == 36
    assert "did not end within 1 s" in capsys.readouterr().err


# ---- describe


@pytest.fixture
def build(bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]) -> Build:
    provision(bench)
    capsys.readouterr()
    made = double.items["devices/pump"].builds[3] = Build(3, [], "SUCCESS")
    return made


def test_the_description_shows_what_the_verified_records_say(
    bench: RecordedDevice, double: Double, build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.attach("build")
    bench.attach("scan", "CVE-2026-1 <b>", "CVE-2026-2")
    build.description = "nightly"
    assert bench.run("describe") == 0
    assert "✘ closed at scan\n" in capsys.readouterr().out
    text = build.description
    assert text.startswith("nightly\n\nAutoclave: ✘ closed at scan\npump 1.4.0, safety class B")
    assert f"app  {bench.image.digest}\n  ✔ build: passed\n  · unit-test: no record\n  ✘ scan: closed" in text
    assert "      CVE-2026-1 <b>\n      CVE-2026-2\n" in text
    assert bench.run("describe") == 0
    assert "is up to date" in capsys.readouterr().out
    bench.attach_all_passed()
    assert bench.run("describe", "devices/pump", "3") == 0
    assert build.description.startswith("nightly\n\nAutoclave: ✔ all gates passed\n")
    assert "closed" not in build.description


def test_html_carries_nothing_of_the_device_but_text(
    bench: RecordedDevice, double: Double, build: Build
) -> None:
    bench.attach("scan", "<img src=x onerror=alert(1)> (autoclave show)", "</li></ul><script>")
    assert bench.run("describe", "--html") == 0
    text = build.description or ""
    assert "<li>&lt;img src=x onerror=alert(1)&gt; (autoclave-show)</li>" in text
    assert "<script>" not in text
    assert bench.run("describe", "--html") == 0
    assert bench.run("describe") == 0, "plain text takes the place of the HTML"
    assert build.description.startswith("Autoclave: ")
    assert "<table" not in build.description


def test_a_record_that_its_key_may_not_sign_is_shown_as_rejected(
    bench: RecordedDevice, double: Double, build: Build
) -> None:
    bench.attach_all_passed()
    bench.attach("scan", key=development.RELEASE)
    assert bench.run("describe") == 0
    assert "⛔ scan: rejected" in (build.description or "")


def test_a_server_that_is_down_is_a_warning_unless_strict(
    bench: RecordedDevice, double: Double, build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.attach_all_passed()
    double.faults = [Fault(verb, PREFIX, 503, text=TOKEN, times=99) for verb in ("GET", "POST")]
    assert bench.run("describe") == 0
    assert "WARNING" in capsys.readouterr().err
    assert bench.run("describe", "--strict") == 35
    assert TOKEN not in capsys.readouterr().err
    assert bench.run("describe", "--strict", "devices/pump", "last") == 2
    assert bench.run("describe", "--dry-run") == 0
    assert "all gates passed" in capsys.readouterr().out


# ---- plugins, accounts


def test_plugins_as_a_table_with_an_exit_code(double: Double, capsys: pytest.CaptureFixture[str]) -> None:
    double.plugins = [
        {"shortName": each.name, "version": "9999.v1", "active": True, "enabled": True}
        for each in plugins.WANTED
        if not each.optional
    ]
    assert main(["jenkins", "plugins"]) == 0
    assert "·  lockable-resources   -" in capsys.readouterr().out
    double.plugins[3]["version"] = "4.11.4"
    assert main(["jenkins", "plugins"]) == 60
    output = capsys.readouterr()
    assert "✘  git                  4.11.4" in output.out
    assert "must be newer than 4.11.4" in output.out


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("AUTOCLAVE_JENKINS_TOKEN", "", "AUTOCLAVE_JENKINS_TOKEN is not set"),
        ("AUTOCLAVE_JENKINS_USER", "", "AUTOCLAVE_JENKINS_USER is not set"),
        ("AUTOCLAVE_JENKINS_TOKEN", "two words", "not a token"),
        ("AUTOCLAVE_JENKINS_USER", "a:b", "not a user name"),
        ("JENKINS_URL", "", "no Jenkins server is named"),
        ("JENKINS_URL", "ftp://jenkins.example.com", "not the address"),
        ("JENKINS_URL", "https://bot:hidden@jenkins.example.com", "not the address"),
        ("JENKINS_URL", "https://jenkins.example.com/?a=b", "not the address"),
        ("JENKINS_URL", "https://jenkins.example.com:99999", "not the address"),
    ],
)
def test_invalid_accounts_and_addresses_are_refused_without_quoting(
    double: Double,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    says: str,
) -> None:
    monkeypatch.setenv(name, value)
    assert main(["jenkins", "plugins"]) == 35
    output = capsys.readouterr().err
    assert says in output
    assert "two words" not in output
    assert "hidden" not in output
    assert double.seen == []


def test_there_is_no_flag_for_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("provision", "run", "describe", "plugins"):
        assert main(["jenkins", command, "--help"]) == 0
        shown = capsys.readouterr().out
        assert "--jenkins-url" in shown
        assert "--token" not in shown
        assert "--user" not in shown


# ---- approvals


def write_answer(bench: RecordedDevice, **changed: str) -> None:
    """Leave the file that the shared library writes when a person answers (Call.groovy, `approval`)."""
    said = {
        "host": "jenkins",
        "says": "a person approved this release; evidence of the host, not a signature",
        "environment": "staging",
        "submitter": "ann\x1b[31m",
        "digest": f"app={bench.image.digest}",
        "build": "https://ci.example.com/job/pump/3/",
        "time": "2026-11-24T10:00:00Z",
    }
    path = bench.folder / ".autoclave" / "reports" / "device" / "approval.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said | changed), "utf-8")


def test_who_answered_an_input_is_attached_as_what_jenkins_said(
    bench: RecordedDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.attach_all_passed()
    write_answer(bench)
    assert bench.run("approvals", "staging", "--record") == 0
    assert "ann\ufffd[31m approved staging at 2026-11-24 10:00:00 UTC" in capsys.readouterr().out
    assert main(["show", "-C", str(bench.folder), bench.image.digest, "host-approvals"]) == 0
    facts = json.loads(capsys.readouterr().out)["predicate"]["facts"]
    assert (facts["host"], facts["environment"]) == ("jenkins", "staging")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"environment": "production"}, "is about production, not staging"),
        ({"digest": "app=sha256:0"}, "what was approved in Jenkins is not app"),
        ({"time": "2026-11-24T10:00:00"}, "does not say who approved"),
    ],
)
def test_an_answer_about_something_else_is_refused(
    bench: RecordedDevice, capsys: pytest.CaptureFixture[str], changed: dict[str, str], says: str
) -> None:
    bench.attach_all_passed()
    write_answer(bench, **changed)
    assert bench.run("approvals", "staging", "--record") == 35
    assert says in capsys.readouterr().err


def test_a_missing_answer_of_a_person_is_an_error(
    bench: RecordedDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.run("approvals", "staging") == 35
    assert "writes it when a person answers" in capsys.readouterr().err
