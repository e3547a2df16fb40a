"""`autoclave trace`: the traceability matrix of the device's images, both ways."""

from __future__ import annotations

import csv
import io
from typing import Annotated

import click
import msgspec

from autoclave.actions import handover, link_draft
from autoclave.actions.link_draft import LinkDraft
from autoclave.cli.click_options import make_command
from autoclave.cli.image_options import ImageOptions, read_release
from autoclave.context import Context
from autoclave.device.requirements import links
from autoclave.device.schema import FILE
from autoclave.errors import UsageError
from autoclave.gates import traceability
from autoclave.gates.traceability import Matrix, RequirementRow, RequirementState, TestRow
from autoclave.harness.traceability import requirements_of
from autoclave.model.declared import Declared
from autoclave.runtime.options import option

_ORDER = (
    RequirementState.UNTESTED,
    RequirementState.FAILED,
    RequirementState.SKIPPED,
    RequirementState.FLAKY,
    RequirementState.NO_EVIDENCE,
    RequirementState.VERIFIED,
    RequirementState.BY_OTHER_METHOD,
    RequirementState.OUT_OF_SCOPE,
)
_MARK = {
    RequirementState.VERIFIED: "✔",
    RequirementState.BY_OTHER_METHOD: "✔",
    RequirementState.OUT_OF_SCOPE: "-",
}
_LINKS = "links.toml"
_SHOWN = 10  # tests of one requirement, on the screen


class Options(ImageOptions, frozen=True):
    """Options of `autoclave trace`."""

    csv: Annotated[bool, option("print the matrix as CSV: a row for each requirement and test")] = False
    write_links: Annotated[
        bool, option("add the tests without a requirement to the links file, or begin one")
    ] = False


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    if not ctx.device.device.requirements:
        raise UsageError(
            "the device names no requirements",
            next='write requirements = "requirements.csv" below [device] in autoclave.toml',
        )
    traced = _matrix(opts, ctx)
    if opts.write_links:
        _write_links(traced, ctx)
        return
    rows = sorted(traced.requirements, key=lambda row: _ORDER.index(row.state))
    if opts.csv:
        ctx.screen.result(_table(rows, traced).rstrip("\n"), {"matrix": msgspec.to_builtins(traced)})
        return
    for row in rows:
        ctx.screen.result(_describe(row), msgspec.to_builtins(row))
    for test in traced.tests:
        if test.unknown:
            ctx.screen.result(
                f"✘ {', '.join(test.unknown)}  unknown\n    named by {test.image}: {test.name}",
                msgspec.to_builtins(test),
            )
    ctx.screen.result(
        _summary(traced), {"unlinked": traced.unlinked, "unlinked_names": traced.unlinked_names}
    )


def _matrix(opts: Options, ctx: Context) -> Matrix:
    """Lay the checkout's requirements against the newest verified test record of each image."""
    digests = ctx.digests(opts)
    handover.read(opts.take_from, ctx)
    runs = {
        image.name: read_release("trace", image, digests.of(image.name), ctx).evidence.unit_test
        for image in ctx.images(opts.image)
    }
    return traceability.matrix(Declared(requirements=requirements_of(ctx)), runs)


def _write_links(traced: Matrix, ctx: Context) -> None:
    """Add the tests without a requirement to the links file, for a person to fill in."""
    named = ctx.device.traceability.links
    name = named or _LINKS
    tests = [each.partition(": ")[2] for each in traced.unlinked_names]
    made = LinkDraft("", 0, 0)
    untested = {
        row.requirement.id: row.requirement.text
        for row in traced.requirements
        if row.state is RequirementState.UNTESTED
    }

    def change(text: str) -> str:
        nonlocal made
        made = link_draft.draft(tests, [row.requirement for row in traced.requirements], text)
        return link_draft.append(text, made, untested) if made.text else text

    path = links.append(ctx.folder, name, change) if tests else ctx.folder / name
    ctx.screen.result(
        f"{name}: {made.linked} tests linked by the ids in their names, {made.open} for a person to fill in",
        {"file": str(path), "linked": made.linked, "open": made.open},
    )
    if traced.unlinked > len(tests):
        more = traced.unlinked - len(tests)
        ctx.screen.note(
            "trace", f"the record counts {more} more, and does not name them: repeat it afterwards"
        )
    if made.text and not named:
        ctx.screen.note("trace", f'write links = "{name}" below [traceability] in {FILE}')


def _describe(row: RequirementRow) -> str:
    """Return a requirement and its tests as the screen shows them."""
    each = row.requirement
    about = ", ".join(
        filter(None, (str(each.kind), f"hazard {each.hazard}" if each.hazard else "", _method(row)))
    )
    lines = [f"{_MARK.get(row.state, '✘')} {each.id}  {row.state}  ({about})", f"    {each.text}"]
    lines += [f"    {test.outcome}: {test.image}: {test.name}{_notes(test)}" for test in row.tests[:_SHOWN]]
    if len(row.tests) > _SHOWN:
        lines.append(f"    and {len(row.tests) - _SHOWN} more tests")
    return "\n".join(lines)


def _notes(test: TestRow) -> str:
    """Return the kind of a test and how it was derived, in brackets, where the report says so."""
    notes = ", ".join(filter(None, (test.kind, test.technique)))
    return f" ({notes})" if notes else ""


def _method(row: RequirementRow) -> str:
    each = row.requirement
    return f"{each.method}{f': {each.evidence}' if each.evidence else ''}"


def _summary(traced: Matrix) -> str:
    states = [row.state for row in traced.requirements]
    counts = [f"{states.count(state)} {state}" for state in _ORDER if state in states]
    unlinked = f"; tests without a requirement: {traced.unlinked}" if traced.unlinked else ""
    return f"{len(states)} requirements: {', '.join(counts)}{unlinked}"


def _table(rows: list[RequirementRow], traced: Matrix) -> str:
    """Return the matrix as CSV; a requirement without tests has one row, an unknown id too."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        (
            *("requirement", "kind", "hazard", "method", "evidence", "state"),
            *("image", "test", "outcome", "test-type", "derivation-technique", "text"),
        )
    )
    for row in rows:
        each = row.requirement
        head = (each.id, each.kind, each.hazard, each.method, each.evidence, row.state)
        for test in row.tests or (None,):
            writer.writerow(map(_cell, (*head, *_test_cells(test), each.text)))
    for test in traced.tests:
        for one in test.unknown:
            writer.writerow(map(_cell, (one, "", "", "", "", "unknown", *_test_cells(test), "")))
    return text.getvalue()


def _test_cells(test: TestRow | None) -> tuple[str, ...]:
    return (test.image, test.name, test.outcome, test.kind, test.technique) if test else ("",) * 5


def _cell(text: str) -> str:
    """Keep a spreadsheet from taking a text for a formula (CWE-1236)."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@"} else text
