"""Reports of other tools, in SARIF 2.1.0 (OASIS): every result that fails, whatever the tool suppressed.

A report is from outside: it is bounded, and what says that the tool did not finish, or that results are
elsewhere, is an error and not a clean report.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from autoclave.errors import ScannerError
from autoclave.model.digest import digest_of
from autoclave.model.facts import Finding, ImportedReport, Kind, Severity
from autoclave.runtime.neutral import neutralise

LARGEST = 64 * 1024 * 1024
"""Most bytes of a report."""

_MOST = 100_000  # results
_LONGEST = 300  # characters of a text
_LEVELS = {
    "error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW, "none": Severity.UNKNOWN,
}  # fmt: skip
_FAILING = frozenset({"fail", "open", "review"})
"""Kinds of results that a person has to look at (3.27.9); others say that all was well, or not checked."""

Level = Literal["none", "note", "warning", "error"]
ResultKind = Literal["pass", "open", "informational", "notApplicable", "review", "fail"]
State = Literal["", "new", "unchanged", "updated", "absent"]
Index = Annotated[int, Meta(ge=-1)]


class _Message(Struct, frozen=True):
    text: str = ""
    markdown: str = ""
    id: str = ""


class _Configuration(Struct, frozen=True):
    level: Level = "warning"


class _Rule(Struct, frozen=True, rename="camel"):
    id: str = ""
    short_description: _Message = _Message()
    default_configuration: _Configuration = _Configuration()
    properties: dict[str, Any] = {}
    help_uri: str = ""


class _Component(Struct, frozen=True, rename="camel"):
    name: str
    version: str = ""
    semantic_version: str = ""
    rules: list[_Rule] = []


class _Tool(Struct, frozen=True):
    driver: _Component
    extensions: list[_Component] = []


class _ComponentReference(Struct, frozen=True):
    index: Index = -1


class _Reference(Struct, frozen=True, rename="camel"):
    id: str = ""
    index: Index = -1
    tool_component: _ComponentReference = _ComponentReference()


class _Artifact(Struct, frozen=True):
    uri: str = ""


class _Region(Struct, frozen=True, rename="camel"):
    start_line: int = 0


class _Physical(Struct, frozen=True, rename="camel"):
    artifact_location: _Artifact = _Artifact()
    region: _Region = _Region()


class _Location(Struct, frozen=True, rename="camel"):
    physical_location: _Physical = _Physical()


class _Result(Struct, frozen=True, rename="camel"):
    message: _Message = _Message()
    rule_id: str = ""
    rule_index: Index = -1
    rule: _Reference = _Reference()
    level: Level | UnsetType = UNSET
    kind: ResultKind = "fail"
    locations: list[_Location] = []
    baseline_state: State = ""


class _Notification(Struct, frozen=True):
    message: _Message = _Message()
    level: Level = "warning"


class _Invocation(Struct, frozen=True, rename="camel"):
    execution_successful: bool
    tool_execution_notifications: list[_Notification] = []


class _Control(Struct, frozen=True, rename="camel"):
    revision_id: str = ""


class _Run(Struct, frozen=True, rename="camel"):
    tool: _Tool
    results: list[_Result] | None = None
    invocations: list[_Invocation] = []
    version_control_provenance: list[_Control] = []
    external: dict[str, Any] | None = field(default=None, name="externalPropertyFileReferences")


class _Log(Struct, frozen=True, rename="camel"):
    version: Literal["2.1.0"]
    runs: list[_Run]
    inline: list[Any] = field(default_factory=list, name="inlineExternalProperties")


class Content(Struct, frozen=True, kw_only=True):
    """What a report says: who wrote it, and the findings."""

    report: ImportedReport
    findings: tuple[Finding, ...]


def read(raw: bytes, *, path: str, tool: str, block: frozenset[Severity], commit: str = "") -> Content:
    """Return what a report says, whose every run must be of this tool.

    `block` are the severities that the device file lets block. Raises ScannerError when it is no SARIF, not
    of this tool, about another commit, or says that it is not whole.
    """
    try:
        # Tools on Windows begin it with a byte order mark.
        log = msgspec.json.decode(raw.removeprefix(b"\xef\xbb\xbf"), type=_Log)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refuse(path, "is not SARIF 2.1.0", str(error)) from error
    if not log.runs:
        raise _refuse(path, "is empty", "it has no run: no tool looked at anything")
    if log.inline:
        raise _refuse(path, "is not whole", "parts of it are in inlineExternalProperties")
    for run in log.runs:
        _check(run, path, tool, commit)
    if sum(len(run.results or ()) for run in log.runs) > _MOST:
        raise _refuse(path, "is too large", f"it has more than {_MOST:,} results")
    findings = tuple(
        dict.fromkeys(
            finding
            for run in log.runs
            for result in run.results or ()
            if result.kind in _FAILING and result.baseline_state != "absent"
            for finding in [_finding(result, run.tool, tool, block)]
        )
    )
    driver = log.runs[0].tool.driver
    version = (driver.semantic_version or driver.version)[:_LONGEST]
    report = ImportedReport(
        tool=tool, version=version, path=path, digest=digest_of(raw), findings=len(findings)
    )
    return Content(report=report, findings=findings)


def _check(run: _Run, path: str, tool: str, commit: str) -> None:
    named = run.tool.driver.name
    if named != tool:
        raise _refuse(
            path, "is another tool's", f"it is by '{named[:_LONGEST]}', the device file says '{tool}'"
        )
    if run.results is None:
        raise _refuse(
            path, "is not whole", "a run has no results: it lists what was looked for, and did not look"
        )
    if run.external:
        raise _refuse(path, "is not whole", "parts of it are in other files (externalPropertyFileReferences)")
    for invocation in run.invocations:
        failed = [each for each in invocation.tool_execution_notifications if each.level == "error"]
        if not invocation.execution_successful or failed:
            said = failed[0].message.text[:_LONGEST] if failed else "executionSuccessful is false"
            raise _refuse(path, "is of a run that failed", said)
    for control in run.version_control_provenance:
        if commit and control.revision_id and control.revision_id != commit:
            raise _refuse(
                path, "is about another commit", f"it names {control.revision_id[:40]}, this is {commit}"
            )


def _finding(result: _Result, tool: _Tool, name: str, block: frozenset[Severity]) -> Finding:
    rule = _find_rule(result, tool)
    place = next((each.physical_location for each in result.locations), _Physical())
    path = _clean(unquote(place.artifact_location.uri))
    severity = _severity(result, rule)
    text = result.message.text or result.message.markdown or rule.short_description.text
    return Finding(
        id=_clean(rule.id or result.rule_id or result.rule.id or "result")[:200],
        kind=Kind.ANALYSIS,
        severity=severity,
        title=_clean(text.strip().partition("\n")[0]),
        target=f"{path}:{place.region.start_line}" if path and place.region.start_line else path or "source",
        package=path,
        url=rule.help_uri[:_LONGEST] if rule.help_uri.startswith("https://") else "",
        found_by=name,
        blocks=severity in block,
    )


def _clean(text: str) -> str:
    """Return a text in one line that a terminal prints as it is: it names the finding from now on."""
    return " ".join(neutralise(text[:_LONGEST]).split())


def _find_rule(result: _Result, tool: _Tool) -> _Rule:
    """Return a result's rule (3.52.4): by its index, else by its id, in the component that it names."""
    at = result.rule.tool_component.index
    component = tool.extensions[at] if 0 <= at < len(tool.extensions) else tool.driver
    index = result.rule.index if result.rule.index >= 0 else result.rule_index
    if 0 <= index < len(component.rules):
        return component.rules[index]
    wanted = result.rule.id or result.rule_id
    # A result may name a part of a rule: `CA1000/1` is of the rule CA1000.
    return next((each for each in _rules(tool) if each.id in (wanted, wanted.rpartition("/")[0])), _Rule())


def _rules(tool: _Tool) -> Iterator[_Rule]:
    for component in (tool.driver, *tool.extensions):
        yield from (each for each in component.rules if each.id)


def _severity(result: _Result, rule: _Rule) -> Severity:
    """Return the severity: by the score that code hosts read, else by the level."""
    try:
        score = float(str(rule.properties.get("security-severity", "")))
    except ValueError:
        score = 0.0
    for least, severity in ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM)):
        if least <= score <= 10:
            return severity
    if 0 < score < 4:
        return Severity.LOW
    level = rule.default_configuration.level if result.level is UNSET else result.level
    return _LEVELS[level]


def _refuse(path: str, what: str, why: str) -> ScannerError:
    return ScannerError(
        f"the report {path} {what}", why=why, next="run the tool again to its end, or correct [[report]]"
    )
