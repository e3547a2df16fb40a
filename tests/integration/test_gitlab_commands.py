"""`autoclave gitlab ...` on real signed records, against a double of GitLab's REST API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoclave.cli.main import main
from autoclave.signers import development
from builders.recorded_device import DEVICE, SHA, RecordedDevice
from doubles import gitlab_double
from doubles.gitlab_double import Double, Fault, Token
from doubles.gitlab_state import Project


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    monkeypatch.setattr("autoclave.runtime.retry.Retry.wait", lambda *_: None)
    with gitlab_double.serve() as made:
        made.users = {7: "autoclave-bot", 8: "ann"}
        made.tokens = {"token-of-the-bot": Token(7), "token-of-the-job": Token(8, job=True)}
        made.projects = {5: Project(5, "acme/pump", notes={17: []}, commits={SHA}, tags={"v1.4.0"})}
        monkeypatch.delenv("CI_COMMIT_TAG", raising=False)  # these tests may run in a job themselves
        for name, value in {
            "CI_SERVER_URL": made.url,
            "CI_PROJECT_ID": "5",
            "CI_MERGE_REQUEST_IID": "17",
            "CI_COMMIT_SHA": SHA,
            "CI_COMMIT_REF_NAME": "main",
            "CI_PIPELINE_ID": "33",
            "CI_PIPELINE_URL": "https://gitlab.example.com/acme/pump/-/pipelines/33",
            "CI_JOB_TOKEN": "token-of-the-job",
            "AUTOCLAVE_GITLAB_TOKEN": "token-of-the-bot",
        }.items():
            monkeypatch.setenv(name, value)
        yield made
        assert made.violations == []


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordedDevice:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "device").mkdir()
    return RecordedDevice(tmp_path / "device", "gitlab")


def test_the_note_shows_what_the_verified_records_say(bench: RecordedDevice, double: Double) -> None:
    bench.attach("build")
    bench.attach("scan", "CVE-2026-1 @all", "CVE-2026-2")
    assert bench.run("note") == 0
    (note,) = double.projects[5].notes[17]
    assert "closed at scan" in note["body"]
    assert "- `CVE-2026-1 @all`" in note["body"]
    assert bench.image.digest in note["body"]
    assert "| ✅ passed | ⚪ no record | ❌ closed | ⚪ no record | ⚪ no record |" in note["body"]


def test_a_record_that_its_key_may_not_sign_is_shown_as_rejected(
    bench: RecordedDevice, double: Double
) -> None:
    bench.attach_all_passed()
    bench.attach("scan", key=development.RELEASE)
    assert bench.run("note") == 0
    body = double.projects[5].notes[17][0]["body"]
    assert "records do not verify at scan" in body
    assert "may not sign scan" in body


def test_a_record_of_an_unknown_key_is_a_warning_and_changes_no_verdict(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.attach_all_passed()
    bench.attach("scan", "CVE-2026-1", key="stranger")
    assert bench.run("note") == 0
    body = double.projects[5].notes[17][0]["body"]
    assert "| ✅ passed | ✅ passed | ✅ passed | ✅ passed |" in body
    assert "CVE-2026-1" not in body
    assert "does not count: the record is signed by an unknown key" in capsys.readouterr().err


def test_the_newest_record_counts(bench: RecordedDevice, double: Double) -> None:
    bench.attach("scan", "CVE-2026-1")
    bench.attach("scan")
    assert bench.run("status") == 0
    assert [(each["name"], each["status"]) for each in double.projects[5].statuses] == [
        ("autoclave/scan", "success")
    ]


def test_every_gate_with_a_verdict_gets_a_status(bench: RecordedDevice, double: Double) -> None:
    bench.attach_all_passed()
    bench.attach("deploy", "not healthy")
    assert bench.run("status", "--step", "scan", "--running") == 0
    assert double.projects[5].statuses[0]["status"] == "running"
    assert bench.run("status") == 0
    statuses = {each["name"]: (each["status"], each["pipeline_id"]) for each in double.projects[5].statuses}
    assert statuses == {
        "autoclave/build": ("success", 33),
        "autoclave/unit-test": ("success", 33),
        "autoclave/scan": ("success", 33),
        "autoclave/sign": ("success", 33),
        "autoclave/deploy": ("failed", 33),
    }


def test_a_status_is_not_set_on_another_commit_than_was_built(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.attach("build")
    assert bench.run("status", "--commit", "b" * 40) == 2
    assert "was not built from commit" in capsys.readouterr().err
    assert double.seen == []


@pytest.mark.parametrize("words", [("note",), ("status",), ("deployment", "staging")])
def test_a_server_that_is_down_is_a_warning_unless_strict(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    bench.attach_all_passed()
    bench.attach("deploy")
    double.faults = [Fault(verb, "/api", 503, times=99) for verb in ("GET", "POST", "PUT")]
    assert bench.run(*words) == 0
    assert "WARNING" in capsys.readouterr().err
    assert bench.run(*words, "--strict") == 35
    assert "token-of-the-bot" not in capsys.readouterr().err


def test_a_note_with_the_job_token_alone_is_a_warning_that_names_the_needs(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AUTOCLAVE_GITLAB_TOKEN")
    assert bench.run("note") == 0
    assert "a personal, project or group access token with scope api" in capsys.readouterr().err
    assert double.seen == []


def test_a_release_carries_the_records_of_the_digest(
    bench: RecordedDevice, double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AUTOCLAVE_GITLAB_TOKEN")  # the job token will do
    monkeypatch.setenv("CI_COMMIT_TAG", "v1.4.0")
    bench.attach_all_passed()
    bench.attach("deploy")
    for _ in range(2):
        assert bench.run("release") == 0
    (release,) = double.projects[5].releases
    names = [each["name"] for each in release["links"]]
    assert names == [
        "app-provenance.dsse.json",
        "app-provenance-report.json",
        "app-test-result.dsse.json",
        "app-test-result-report.json",
        "app-vulns.dsse.json",
        "app-vulns-report.json",
        "app-verification.dsse.json",
        "app-verification-report.json",
        "evidence.json",
    ]
    assert f"`{bench.image.digest}`" in release["description"]
    assert [each["file_name"] for each in double.projects[5].packages[0]["files"]] == names


def test_nothing_unsigned_or_doubtful_is_released(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.attach("build")
    assert bench.run("release", "--tag", "v1.4.0") == 24
    assert "not signed yet" in capsys.readouterr().err
    bench.attach_all_passed()
    bench.attach("scan", key=development.RELEASE)
    assert bench.run("release", "--tag", "v1.4.0") == 24
    assert "may not sign scan" in capsys.readouterr().err
    assert double.seen == []


def test_a_release_that_gitlab_does_not_take_is_an_error(bench: RecordedDevice, double: Double) -> None:
    bench.attach_all_passed()
    double.faults = [Fault("GET", "/packages", 403)]
    assert bench.run("release", "--tag", "v1.4.0") == 35


def test_a_deployment_is_recorded_as_its_record_says(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.attach_all_passed()
    assert bench.run("deployment", "staging", "--strict") == 35
    assert bench.run("deployment", "staging") == 0
    assert double.projects[5].deployments == []
    assert "no record says" in capsys.readouterr().err
    assert bench.run("deployment", "staging", "--running") == 0
    bench.attach("deploy", "not healthy")
    assert bench.run("deployment", "staging") == 0
    bench.attach("deploy")
    assert bench.run("deployment", "staging") == 0
    assert [each["status"] for each in double.projects[5].deployments] == ["failed", "success"]
    assert double.projects[5].environments[0]["description"] == f"app {bench.image.digest}"


def test_approvals_are_printed_as_data(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.run("deployment", "staging", "--running")
    approval = {"user": {"id": 8, "username": "ann"}, "status": "approved", "comment": "ok\x1b[31m"}
    double.projects[5].deployments[0]["approvals"] = [approval | {"created_at": "2026-11-24T10:00:00Z"}]
    capsys.readouterr()
    assert bench.run("approvals", "staging") == 0
    assert "approved by ann (user 8) at 2026-11-24 10:00:00 ok\ufffd[31m" in capsys.readouterr().out
    assert bench.run("approvals", "staging", "--json") == 0
    output = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert output["approvals"]["approvals"] == [
        {
            "userId": 8,
            "username": "ann",
            "status": "approved",
            "comment": "ok\x1b[31m",
            "at": "2026-11-24T10:00:00Z",
        }
    ]


def test_approvals_are_attached_as_what_the_host_said(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.attach_all_passed()
    bench.run("deployment", "staging", "--running")
    approval = {"user": {"id": 8, "username": "ann"}, "status": "approved", "comment": "ok"}
    double.projects[5].deployments[0]["approvals"] = [approval | {"created_at": "2026-11-24T10:00:00Z"}]
    assert bench.run("approvals", "staging", "--record") == 0
    assert "attached to 1 image(s)" in capsys.readouterr().out
    assert main(["show", "-C", str(bench.folder), bench.image.digest, "host-approvals"]) == 0
    shown = json.loads(capsys.readouterr().out)["predicate"]
    assert shown["facts"]["approvals"][0]["username"] == "ann"
    assert shown["autoclave"]["step"] == "approvals"


def test_approvals_that_cannot_be_read_change_no_verdict(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.attach_all_passed()
    assert bench.run("approvals", "staging", "--record") == 0
    assert "no deployment of" in capsys.readouterr().err
    assert bench.run("approvals", "staging", "--record", "--strict") == 35


def test_a_dry_run_asks_nothing(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.attach_all_passed()
    bench.attach("deploy")
    for words in (("note",), ("status",), ("release", "--tag", "v1.4.0"), ("deployment", "staging")):
        assert bench.run(*words, "--dry-run") == 0
    assert "<!-- autoclave note: pump -->" in capsys.readouterr().out
    assert double.seen == []


def test_handovers_of_other_jobs_are_read(bench: RecordedDevice, double: Double) -> None:
    bench.attach("build")
    handed = bench.folder / "handed"
    (bench.folder / ".autoclave").rename(handed)
    (handed / "digests.env").write_text(f"AUTOCLAVE_DIGEST=app={bench.image.digest}\n")
    digest = f"app={bench.image.digest}"
    assert bench.run("status", "--take-from", "handed", "--digest", digest) == 0
    assert [each["name"] for each in double.projects[5].statuses] == ["autoclave/build"]


def test_one_digest_cannot_mean_several_images(
    bench: RecordedDevice, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    (bench.folder / "autoclave.toml").write_text(DEVICE + '[[image]]\nname = "other"\n')
    assert bench.run("note", "--digest", bench.image.digest) == 2
    bench.attach("build")
    assert bench.run("note", "--dry-run") == 0
    assert "| `other` | not built |" in capsys.readouterr().out
