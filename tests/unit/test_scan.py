"""The scan step with scanners that start no process: records, files and verdicts of one and of several."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from autoclave import scan, scanners
from autoclave.cli.commands.gitlab import release as gitlab_release
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.device import source
from autoclave.errors import AutoclaveError, PolicyLoosened, ScanGateClosed, ScannerError
from autoclave.evidence import records
from autoclave.evidence.statement import SBOM, VULNS
from autoclave.model.facts import Kind, Severity
from autoclave.model.status import GateStatus
from autoclave.release import verification
from autoclave.release.status import read_status
from autoclave.scanners.base import ReportKind, Scan, Scanner, Setup, Versions
from autoclave.scanners.options import ScannerOptions
from autoclave.store.layout import LayoutStore
from builders.sample_image import EMPTY, write_image
from fixtures.drill.toy_scanner import FINDING, Toy

DEVICE = """\
[device]
name = "pump"
version = "1"
safety-class = "A"
[[image]]
name = "app"
"""


@dataclass
class Named:
    """The toy under a name of its own; what it returns can be changed, and what was scanned is counted."""

    name: str
    change: Callable[[Scan], Scan] = lambda done: done
    scanned: list[str] = field(default_factory=list)
    command: tuple[str, ...] = ("toy", "IMAGE")

    def versions(self) -> Versions:
        return Toy().versions()

    def scan(self, image: str, folder: Path) -> Scan:
        self.scanned.append(image)
        done = Toy().scan(image, folder)
        bom = next(each.path for each in done.reports if each.kind is ReportKind.SBOM)
        bom.write_text(
            bom.read_text().replace('"toy"', f'"{self.name}"').replace("ball", f"{self.name}-ball")
        )
        return self.change(structs.replace(done, facts=structs.replace(done.facts, scanner=self.name)))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Named]:
    """The scanners that there are."""
    found = {name: Named(name) for name in ("toy", "other")}
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "keys"))
    monkeypatch.setattr(scanners, "names", lambda: tuple(found))

    def create(name: str, setup: Setup) -> Scanner:
        return found[name]

    monkeypatch.setattr(scanners, "create", create)
    return found


def run(
    folder: Path, *names: str, policy: str = "", again: bool = False, organisation: Path | None = None
) -> Context:
    """Scan the image of a device; the second time as well."""
    (folder / "autoclave.toml").write_text(DEVICE + policy)
    opts = scan.Options(
        folder=str(folder),
        scanners=ScannerOptions(scanner=names),
        again=again,
        policy=str(organisation or ""),
    )
    ctx = Context(opts, JsonScreen())
    assert isinstance(ctx.store, LayoutStore)
    if ctx.store.find("app") is None:
        write_image(ctx.store, EMPTY, name="app")
    scan.run(opts, ctx)
    return ctx


def attached(ctx: Context) -> list[records.Record]:
    found = ctx.store.find("app")
    assert found
    good, bad = records.read_all(ctx.store, found.digest, ctx.trust)
    assert bad == []
    return good


def release(ctx: Context) -> Any:
    image = ctx.device.find_image("app")
    return verification.read(image, ctx.subject(image), ctx).evidence


def files(folder: Path) -> set[str]:
    reports = folder / ".autoclave" / "reports"
    return {str(path.relative_to(reports)) for path in reports.rglob("*") if path.is_file()}


def test_a_scan_leaves_records_and_files_of_the_same_names_for_every_scanner(
    known: dict[str, Named], tmp_path: Path
) -> None:
    ctx = run(tmp_path, "other")
    sbom, vulns = attached(ctx)
    assert (sbom.statement.predicate_type, vulns.statement.predicate_type) == (SBOM, VULNS)
    names = {"findings.json", "findings.sarif", "sbom.cdx.json"}
    assert {each.annotations[records.TITLE] for each in vulns.attachments} == names
    assert files(tmp_path) == {f"app/{name}" for name in names}
    assert release(ctx).findings == (FINDING,)


def test_each_scanner_has_records_of_its_own_and_scans_once(known: dict[str, Named], tmp_path: Path) -> None:
    ctx = run(tmp_path, "toy", "other")
    assert len(attached(ctx)) == 4
    assert {"app/findings.sarif", "app/other/findings.sarif", "app/other/sbom.cdx.json"} <= files(tmp_path)
    assert [each.scanner for each in release(ctx).scans] == ["other", "toy"]
    assert {each.name for each in release(ctx).components} == {"toy-ball", "other-ball"}
    ctx = run(tmp_path, "other", "toy")
    assert [len(each.scanned) for each in known.values()] == [1, 1]
    run(tmp_path, "toy", again=True)
    assert [len(each.scanned) for each in known.values()] == [2, 1]
    assert len(release(ctx).scans) == 2


def test_what_the_policy_requires_is_scanned_without_being_named(
    known: dict[str, Named], tmp_path: Path
) -> None:
    run(tmp_path, policy='[policy.scan]\nscanners = ["other"]\n')
    assert [len(each.scanned) for each in known.values()] == [0, 1]


def test_what_one_scanner_finds_closes_the_gate_after_both_are_on_record(
    known: dict[str, Named], tmp_path: Path
) -> None:
    def critical(done: Scan) -> Scan:
        worse = structs.replace(FINDING, severity=Severity.CRITICAL)
        return structs.replace(done, facts=structs.replace(done.facts, findings=(worse,)))

    known["toy"].change = critical
    with pytest.raises(ScanGateClosed) as caught:
        run(tmp_path, "toy", "other")
    closed = "critical CVE-2026-0001 in ball 1.0 (fixed in 1.1)"
    assert caught.value.reasons == (f"toy: {closed}",)
    assert [len(each.scanned) for each in known.values()] == [1, 1]
    # A run that names the other scanner alone passes, and opens nothing: the record is attached.
    ctx = run(tmp_path, "other")
    assert {each.scanner for each in release(ctx).scans} == {"toy", "other"}
    gate = read_status(ctx.device.find_image("app"), "", ctx).gate("scan")
    assert (gate.state, gate.reasons) == (GateStatus.CLOSED, (closed,))


def test_a_host_has_the_findings_of_its_own_run(
    known: dict[str, Named], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, "toy", "other")
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.setattr(
        source, "open_commit", lambda checkout, _, shell: source.open_work_tree(checkout, shell)
    )
    run(tmp_path, "other")  # the earlier scan is still valid
    assert "gl-container-scanning.json" in files(tmp_path)
    report = json.loads((tmp_path / ".autoclave/reports/gl-container-scanning.json").read_bytes())
    assert [each["severity"] for each in report["vulnerabilities"]] == ["Low"]


def test_a_hosts_release_has_the_files_of_each_scanner(known: dict[str, Named], tmp_path: Path) -> None:
    def list_names(ctx: Context) -> set[str]:
        image = read_status(ctx.device.find_image("app"), "", ctx)
        return {each.name for each in gitlab_release.collect_files(image, ctx)}

    ctx = run(tmp_path, "toy")
    reports = ("findings.json", "findings.sarif", "sbom.cdx.json")
    assert list_names(ctx) == {"app-sbom.dsse.json", "app-vulns.dsse.json"} | {
        f"app-vulns-{name}" for name in reports
    }
    ctx = run(tmp_path, "toy", "other")
    assert list_names(ctx) == {
        f"app-{name}"
        for scanner in ("toy", "other")
        for name in (
            f"sbom-{scanner}.dsse.json",
            f"vulns-{scanner}.dsse.json",
            *(f"vulns-{scanner}-{report}" for report in reports),
        )
    }


def spoil(kind: ReportKind, old: str, new: str) -> Callable[[Scan], Scan]:
    def change(done: Scan) -> Scan:
        path = next(each.path for each in done.reports if each.kind is kind)
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        return done

    return change


def of_yesterday(done: Scan) -> Scan:
    return structs.replace(done, facts=structs.replace(done.facts, finished=datetime(2026, 1, 1)))


def of_another(done: Scan) -> Scan:
    return structs.replace(done, facts=structs.replace(done.facts, scanner="trivy"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (spoil(ReportKind.SBOM, '"timestamp"', '"stamp"'), "the SBOM has no timestamp"),
        (
            spoil(ReportKind.SBOM, '"components":[{"type"', '"components":[{"kind":1},{"type"'),
            "not a CycloneDX",
        ),
        (spoil(ReportKind.SBOM, '"toy"', '"toyota"'), "the SBOM does not name 'toy' as its tool"),
        (spoil(ReportKind.SBOM, "{", ""), "sbom report that cannot be read"),
        (spoil(ReportKind.SARIF, "2.1.0", "3"), "sarif report that cannot be read"),
        (spoil(ReportKind.RAW, "}", ""), "raw report that cannot be read"),
        (of_yesterday, "the vulns record is not of the expected form"),
        (of_another, "returned facts of another scanner"),
    ],
)
def test_what_the_release_gate_could_not_read_is_refused_at_once(
    known: dict[str, Named], tmp_path: Path, change: Callable[[Scan], Scan], says: str
) -> None:
    known["toy"].change = change
    with pytest.raises(ScannerError) as caught:
        run(tmp_path, "toy")
    assert says in f"{caught.value.what}: {caught.value.why}"
    store = LayoutStore(tmp_path / ".autoclave" / "store")
    subject = store.find("app")
    assert subject
    assert store.referrers(subject.digest) == []
    assert files(tmp_path) == set()


REPORT = """\
[[report]]
path = "out/analysis.sarif"
tool = "Checker"
block = ["high"]
"""


def write_report(folder: Path, *levels: str) -> None:
    """Write a report of another tool, with a result of each level."""
    results: list[dict[str, Any]] = [
        {
            "ruleId": "c/overflow",
            "level": level,
            "message": {"text": "outside of dose"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": "src/dose.c"},
                        "region": {"startLine": line},
                    }
                }
            ],
        }
        for line, level in enumerate(levels, 1)
    ]
    run_ = {"tool": {"driver": {"name": "Checker"}}, "results": results}
    (folder / "out").mkdir(exist_ok=True)
    (folder / "out" / "analysis.sarif").write_text(json.dumps({"version": "2.1.0", "runs": [run_]}))


def test_a_report_of_another_tool_is_stored_judged_and_a_reason_to_scan_again(
    known: dict[str, Named], tmp_path: Path
) -> None:
    write_report(tmp_path, "note")
    ctx = run(tmp_path, "toy", "other", policy=REPORT)
    assert [each.tool for scan_ in release(ctx).scans for each in scan_.imported] == ["Checker"]
    assert "app/report-1.sarif" in files(tmp_path)
    run(tmp_path, "toy", "other", policy=REPORT)
    assert [len(each.scanned) for each in known.values()] == [1, 1]
    write_report(tmp_path, "note", "error")
    with pytest.raises(ScanGateClosed) as caught:
        run(tmp_path, "toy", "other", policy=REPORT)
    assert "high analysis c/overflow in src/dose.c:2: outside of dose" in caught.value.why
    assert [len(each.scanned) for each in known.values()] == [2, 1]


def test_what_the_device_lets_block_is_a_reason_to_judge_again(
    known: dict[str, Named], tmp_path: Path
) -> None:
    write_report(tmp_path, "warning")
    run(tmp_path, "toy", policy=REPORT)
    with pytest.raises(ScanGateClosed):
        run(tmp_path, "toy", policy=REPORT.replace('"high"', '"medium"'))


def test_a_report_that_the_policy_requires_and_nobody_names_closes_the_gate(
    known: dict[str, Named], tmp_path: Path
) -> None:
    with pytest.raises(ScanGateClosed) as caught:
        run(tmp_path, "toy", policy='[policy.scan]\nreports = ["Checker"]\n')
    assert "no report of 'Checker' was taken in" in caught.value.why


@pytest.mark.parametrize("path", ["absent.sarif", "../outside.sarif", "link.sarif"])
def test_a_report_is_a_plain_file_of_the_device(path: str, known: dict[str, Named], tmp_path: Path) -> None:
    folder = tmp_path / "device"
    folder.mkdir()
    (tmp_path / "outside.sarif").write_text("{}")
    (folder / "link.sarif").symlink_to(tmp_path / "outside.sarif")
    with pytest.raises(AutoclaveError):
        run(folder, "toy", policy=REPORT.replace("out/analysis.sarif", path))
    assert known["toy"].scanned == []


def test_a_scanner_that_looks_for_no_secrets_never_passes_alone(
    known: dict[str, Named], tmp_path: Path
) -> None:
    def half(done: Scan) -> Scan:
        return structs.replace(done, facts=structs.replace(done.facts, kinds=(Kind.VULNERABILITY,)))

    known["toy"].change = half
    for _ in range(2):  # the second time it is valid by itself, and not repeated
        with pytest.raises(ScanGateClosed) as caught:
            run(tmp_path, "toy")
        assert "nothing looked for secrets in the image: toy does not" in caught.value.why
    assert len(known["toy"].scanned) == 1
    run(tmp_path, "other")  # in a job of its own
    run(tmp_path, "toy")
    run(tmp_path, "toy", again=True)


def test_an_exploited_vulnerability_closes_the_gate_of_every_class_and_the_catalogue_is_on_record(
    known: dict[str, Named], tmp_path: Path
) -> None:
    device, kev, policy = tmp_path / "device", tmp_path / "kev.json", tmp_path / "policy.toml"
    device.mkdir()
    now = datetime.now(UTC)

    def write(*names: str) -> None:
        listed = [{"cveID": name, "dateAdded": "2026-01-02"} for name in names]
        document = {
            "dateReleased": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "count": len(listed),
            "vulnerabilities": listed,
        }
        kev.write_text(json.dumps(document))

    policy.write_text(f'[scan.catalogues]\nexploited = "{kev}"\n')
    write("CVE-2000-0001")
    ctx = run(device, "toy", organisation=policy)
    assert [each.entries for each in release(ctx).scans[0].catalogues] == [1]
    write("CVE-2000-0001", FINDING.id)
    with pytest.raises(ScanGateClosed) as caught:
        run(device, "toy", organisation=policy)
    assert (
        f"low {FINDING.id} in ball 1.0 (fixed in 1.1; known to be exploited since 2026-01-02"
        in caught.value.why
    )


def test_a_device_cannot_name_a_catalogue_of_its_own(known: dict[str, Named], tmp_path: Path) -> None:
    with pytest.raises(PolicyLoosened):
        run(tmp_path, "toy", policy='[policy.scan.catalogues]\nexploited = "/tmp/empty.json"\n')
