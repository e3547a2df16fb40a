"""`autoclave init`: a device file for a repository, out of what is there."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec import Struct, structs

from autoclave import __version__, hosts
from autoclave.actions import validate
from autoclave.actions.starter import draft as drafts
from autoclave.actions.starter import survey, texts, write
from autoclave.actions.starter.draft import Draft
from autoclave.actions.starter.facts import Kind, Remark, lines_of
from autoclave.actions.starter.write import Change
from autoclave.device.schema import FILE, SafetyClass
from autoclave.errors import ConfigError, Interrupted, UsageError
from autoclave.runtime.folder import Folder
from autoclave.runtime.neutral import cut, neutralise

_MOST = 40  # remarks of one kind that are printed
_KEYS_OF_STAGES = (".target", ".stage")  # the lines that are to be added to the Dockerfile bring these
_PREVIEW = 200  # lines of the device file that are shown


class Answers(Struct, frozen=True, kw_only=True):
    """What the command line says: the host's file, the class, and whether to ask or to write anything."""

    host: str = ""
    safety_class: str = ""
    asks: bool = False
    dry_run: bool = False


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    named = [each for each in hosts.names() if hosts.create(each).starter(__version__)]
    options: list[click.Parameter] = [
        click.Option(["--folder", "-C"], default=".", help="the device repository"),
        click.Option(["--host"], type=click.Choice(named), help="write the file of this CI host as well"),
        click.Option(
            ["--safety-class"],
            type=click.Choice(list(SafetyClass)),
            help="the IEC 62304 class; C when it is not known",
        ),
        click.Option(["--yes", "-y"], is_flag=True, help="ask nothing: write what was found and assumed"),
        click.Option(["--dry-run"], is_flag=True, help="print what would be written, and write nothing"),
    ]

    def call(folder: str, host: str | None, safety_class: str | None, yes: bool, dry_run: bool) -> int:
        asks = not (yes or dry_run) and sys.stdin.isatty() and sys.stdout.isatty()
        answers = Answers(host=host or "", safety_class=safety_class or "", asks=asks, dry_run=dry_run)
        return run(Path(folder), answers)

    return click.Command(name, callback=call, params=options, help=text, short_help=text)


def run(folder: Path, answers: Answers = Answers()) -> int:  # noqa: B008 -- frozen
    """Write the device file, registers, ignore files, a host's file. Raises ConfigError when one exists."""
    device = Folder(folder.resolve())
    if not device.path.is_dir():
        raise ConfigError(
            f"{folder} is not a folder", next="name the folder of the device repository with -C"
        )
    if answers.host and not answers.dry_run:
        _write_host(device, answers.host)
    if device.kind(FILE) is not None:
        if answers.host:
            return 0
        raise ConfigError(
            f"{folder / FILE} exists already", next="edit it; 'autoclave schema' describes every key"
        )
    draft = survey.survey(device)
    if answers.safety_class:
        draft = drafts.with_class(draft, answers.safety_class)
    if answers.asks:
        draft = ask(draft, asks_class=not answers.safety_class)
    # All is read before anything is written: a file that cannot be read leaves no half of a start.
    changes = write.plan(device, draft)
    _print_remarks(draft, (Kind.FOUND, Kind.ASSUMED))
    _print_changes(changes, whole=answers.dry_run or answers.asks)
    if answers.dry_run:
        _print_remarks(draft, (Kind.LEFT,))
        return 0
    if answers.asks and not click.confirm("\nwrite these files?", default=True):
        raise Interrupted("nothing was written")
    write.apply(device, changes)
    _print_remarks(draft, (Kind.LEFT,), more=_check(device, draft))
    _print(f"\nwrote {folder / FILE}: read it and commit it, then 'autoclave validate' and 'autoclave run'")
    return 0


def ask(draft: Draft, *, asks_class: bool) -> Draft:
    """Return the draft as a person wants it."""
    name = click.prompt("the device's name", default=draft.name, value_proc=_to_name)
    version = click.prompt("its version", default=draft.version, value_proc=_to_version)
    source = draft.version_source if version == draft.version else "given to 'autoclave init'"
    draft = structs.replace(draft, name=name, version=version, version_source=source)
    if asks_class:
        _print("IEC 62304: A no injury is possible, B no serious injury, C death or serious injury")
        chosen = click.prompt("its software safety class", type=click.Choice(list(SafetyClass)), default="C")
        draft = drafts.with_class(draft, chosen)
    found = (*draft.parts, *draft.doubtful)
    if len(found) < 2:
        return draft
    _print("images are built from these files:")
    wanted = [
        each.image.name
        for each in found
        if click.confirm(
            neutralise(f"  {each.image.name}, from {each.image.file.path}{_why(each.image.doubt)}?"),
            default=each in draft.parts,
        )
    ]
    return drafts.with_images(draft, wanted or [each.image.name for each in draft.parts])


def _why(doubt: str) -> str:
    return f" ({doubt})" if doubt else ""


def _to_name(text: str) -> str:
    made = texts.to_name(text)
    if made != text:
        raise click.BadParameter(f"small letters, digits and single hyphens, as '{made or 'dose-engine'}'")
    return made


def _to_version(text: str) -> str:
    if not texts.to_version(text):
        raise click.BadParameter("letters, digits, '.', '-' and '+', as '1.4.0'")
    return text


def _check(device: Folder, draft: Draft) -> list[Remark]:
    """Return what `autoclave validate` finds in the device file as it was written, and a release needs."""
    found = validate.check(device.path, "", datetime.now(UTC).date())
    known = _KEYS_OF_STAGES if any(each.stage_lines for each in draft.parts) else ()
    wanted = [each for each in found if each.level is not validate.Level.NOTE]
    wanted = [each for each in wanted if not each.key.endswith(known)]
    return [Remark(Kind.LEFT, ": ".join(filter(None, (each.what, each.next)))) for each in wanted]


def _print_remarks(draft: Draft, kinds: Iterable[Kind], more: Iterable[Remark] = ()) -> None:
    remarks = [*draft.remarks, *(each for part in draft.parts for each in part.remarks), *more]
    for kind in kinds:
        lines = list(lines_of(each for each in remarks if each.kind is kind))
        if lines:
            _print(f"\n{kind.value}:")
        for line in lines[:_MOST]:
            _print(f"  - {line}")
        if len(lines) > _MOST:
            _print(f"  and {len(lines) - _MOST} more")


def _print_changes(changes: Iterable[Change], *, whole: bool) -> None:
    """Print each file, with the lines that are added to those of the repository."""
    _print("\nto write:")
    for each in changes:
        _print(f"  {each.path}" + (" (new)" if each.is_new else ""))
        lines = each.lines
        if whole and not lines:
            lines = tuple(each.content.decode("utf-8", "replace").splitlines()[:_PREVIEW])
        for line in lines:
            _print(f"    + {line}" if line else "    +")


def _print(text: str) -> None:
    """Print lines whose parts come from a repository that nobody knows yet."""
    for line in text.split("\n"):
        click.echo(neutralise(cut(line)))


def _write_host(device: Folder, host: str) -> None:
    starter = hosts.create(host).starter(__version__)
    if starter is None:
        raise UsageError(f"the CI host '{host}' needs no file", next="leave --host out")
    path = device.path / starter.name
    try:
        device.create(starter.name, [starter.content])
    except FileExistsError as error:
        raise ConfigError(
            f"{path} exists already", next=f"add this to it:\n{starter.content.decode('utf-8')}"
        ) from error
    _print(f"wrote {path}: name your copy of the templates in it")
