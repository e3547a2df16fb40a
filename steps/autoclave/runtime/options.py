"""Options of the steps: one field is one flag and one AUTOCLAVE_* variable.

The command line, the hosts' inputs and the reference are made from these structs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

K = TypeVar("K", bound=Struct)


def option(
    description: str,
    *,
    short: str = "",
    argument: bool = False,
    choices: tuple[str, ...] = (),
    flag: str = "",
) -> Meta:
    """Describe an option; `argument` makes it positional, `choices` are all the values that it can have.

    `flag` is its flag where that is not the field's name: a word that Python keeps for itself.
    """
    extra = {"short": short, "argument": argument, "choices": choices, "flag": flag}
    return Meta(description=description, extra=extra)


class Common(Struct, frozen=True, kw_only=True):
    """Options that every command takes."""

    folder: Annotated[str, option("the device repository: the folder with autoclave.toml", short="-C")] = "."
    store: Annotated[
        str, option("the store: a folder, or oci://HOST/REPOSITORY; none: .autoclave/store in the device")
    ] = ""
    policy: Annotated[str, option("the organisation's policy file, which may only tighten")] = ""
    trust: Annotated[str, option("the organisation's trust file: which key may sign what")] = ""
    template: Annotated[str, option("version of the host's template; refused when it is not this one")] = ""
    engine: Annotated[str, option("the container engine, by name")] = "docker"
    engine_command: Annotated[
        str, option("the engine's command for building; none: the best one on PATH")
    ] = ""
    verbose: Annotated[bool, option("print every external command as a line to paste", short="-v")] = False
    json: Annotated[bool, option("one JSON object per line instead of text")] = False
    debug: Annotated[bool, option("show a traceback when an error ends the command")] = False


class Signing(Common, frozen=True):
    """Options of the commands that sign records."""

    key: Annotated[str, option("URI of the key that signs records; none: this user's development key")] = ""
    public_key: Annotated[str, option("PEM file of that key's public key (for tokens and key services)")] = ""
    tsa: Annotated[str, option("URL of the authority that time-stamps seals (RFC 3161)")] = ""


ReleaseName = Annotated[
    str, option("the release, by the digest that 'autoclave sign' prints; none: the one judged last")
]
ImageNames = Annotated[tuple[str, ...], option("only this image of the device (repeatable)")]
DigestText = Annotated[
    str, option("the digest; none: the image built last (of several images: NAME=DIGEST,NAME=DIGEST)")
]
SecretsFolder = Annotated[
    str,
    option("folder outside of the repository with a file for each secret that image.service.secrets names"),
]
"""Of the commands that deploy."""
DryRun = Annotated[bool, option("print what would run or be written, and do nothing")]
"""Of the commands that honour it: no other one has it."""
TakeFrom = Annotated[tuple[str, ...], option("first read what another job left in this folder (repeatable)")]


class StepOptions(Signing, frozen=True):
    """Options of the steps that work on images."""

    image: ImageNames = ()
    digest: DigestText = ""
    take_from: TakeFrom = ()
    hand_on: Annotated[str, option("leave image, records and digests for the next job in this folder")] = ""
    again: Annotated[bool, option("run even if a record for the same inputs is valid")] = False
    dry_run: DryRun = False


FromWorkTree = Annotated[
    bool,
    option("work on what lies in the folder, not on the commit: for debugging, never for a release"),
]


class SourceOptions(StepOptions, frozen=True):
    """Options of the steps that make a release: from a commit, or from the work tree."""

    worktree: FromWorkTree = False


class Field(Struct, frozen=True, kw_only=True):
    """One option, as every front end needs it."""

    name: str
    flag: str
    variable: str
    kind: type
    multiple: bool
    default: Any
    required: bool
    description: str
    short: str
    argument: bool
    choices: tuple[str, ...]


def fields(kind: type[Struct]) -> list[Field]:
    """Return the options of a struct in order; those of a group in the place of the group."""
    return list(_fields(kind))


def build(kind: type[K], values: Mapping[str, Any]) -> K:
    """Make a struct of options out of values by name; a group takes those of its own options."""
    own = {}
    for each, group in _groups(kind):
        if group:
            own[each.name] = build(group, values)
        elif each.name in values:
            own[each.name] = values[each.name]
    return kind(**own)


def _fields(kind: type[Struct]) -> Iterator[Field]:
    hints = get_type_hints(kind, include_extras=True)
    for each, group in _groups(kind):
        if group:
            yield from _fields(group)
        else:
            yield _field(each, hints[each.name])


def _groups(kind: type[Struct]) -> Iterator[tuple[msgspec.structs.FieldInfo, type[Struct] | None]]:
    """Yield each field, with its type when it is a group: a struct of options that several commands share."""
    for each in msgspec.structs.fields(kind):
        is_group = isinstance(each.type, type) and issubclass(each.type, Struct)
        yield each, each.type if is_group else None


def _field(each: msgspec.structs.FieldInfo, hint: Any) -> Field:
    if get_origin(hint) is not Annotated:
        raise TypeError(f"option {each.name} has no description")
    inner, meta = get_args(hint)[0], next(part for part in get_args(hint)[1:] if isinstance(part, Meta))
    extra = meta.extra or {}
    multiple = get_origin(inner) is tuple
    return Field(
        name=each.name,
        flag=extra.get("flag") or "--" + each.name.replace("_", "-"),
        variable="AUTOCLAVE_" + each.name.upper(),
        kind=get_args(inner)[0] if multiple else inner,
        multiple=multiple,
        default=each.default,
        required=each.required,
        description=meta.description or "",
        short=extra.get("short", ""),
        argument=extra.get("argument", False),
        choices=extra.get("choices", ()),
    )
