"""The policy in force: the profile of the safety class, tightened by the organisation, then the device."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from autoclave.device.schema import FILE, Device, SafetyClass
from autoclave.errors import ConfigError, PolicyLoosened
from autoclave.model.place import explain_pattern
from autoclave.policy.schema import Policy, grant, tighten
from autoclave.runtime.toml import convert, read_toml

PINNED, EVERY = "device", "*"
"""The table of an organisation's file that pins safety classes, and its key for every device not named."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def effective_policy(device: Device, organisation: str = "") -> Policy:
    """Return what the gates require of this device.

    `organisation` is the path of the organisation's policy file, or empty. Raises ConfigError for
    a file that cannot be used (an empty one is an error) and PolicyLoosened for a layer that
    requires less than the one above it, or a safety class below the one that is pinned.
    """
    safety_class = device.device.safety_class
    policy, above = read_profile(safety_class), f"the class {safety_class} profile"
    if organisation:
        layer = read_toml(Path(organisation))
        if not layer:
            raise ConfigError(
                f"{organisation}: the policy is empty",
                why="an empty policy requires nothing: probably not what was meant",
                next="write it with 'autoclave policy init', or leave out --policy",
            )
        _check_class(device, layer.pop(PINNED, {}), organisation)
        checked = _check_layer(layer, organisation)
        policy = tighten(grant(policy, checked), checked, source=organisation, above=above)
        above = organisation
    return tighten(policy, _check_layer(device.policy, FILE), source=FILE, above=above)


def _check_class(device: Device, pinned: object, source: str) -> None:
    """Refuse a safety class below the one that the organisation pins for the device."""
    pins = convert({PINNED: pinned}, _Pins, source=source).device
    for each in pins:
        if each != EVERY and not _NAME.fullmatch(each):
            raise ConfigError(
                f"{source}: [{PINNED}.{each}] pins a device that cannot exist",
                why="a device's name is small letters and digits, with - between them",
                next=f'write it as the device file has it, or as [{PINNED}."{EVERY}"] for all others',
            )
    name, safety_class = device.device.name, device.device.safety_class
    pin = pins.get(name) or pins.get(EVERY)
    if pin is None or safety_class >= pin.safety_class:
        return
    table = name if name in pins else f'"{EVERY}"'
    raise PolicyLoosened(
        f"{FILE} gives {name} the safety class {safety_class}, but {source} requires {pin.safety_class}",
        why=f"the organisation pins it: [{PINNED}.{table}] safety-class",
        next=f'set device.safety-class = "{pin.safety_class}" in {FILE}, or have the organisation change it',
    )


def read_profile(safety_class: SafetyClass) -> Policy:
    """Return the built-in profile of a safety class."""
    name = f"{safety_class}.toml"
    text = resources.files("autoclave.policy.profiles").joinpath(name).read_text("utf-8")
    return convert(tomllib.loads(text), Policy, source=f"profile {name}")


class _Pin(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    safety_class: SafetyClass


class _Pins(Struct, frozen=True):
    """`[device.NAME]` in an organisation's policy: the lowest safety class of a device, or of all others."""

    device: dict[str, _Pin]


def digest(policy: Policy) -> str:
    """Return the digest that names a policy in records: of its canonical JSON."""
    from autoclave.model.digest import digest_of

    return digest_of(msgspec.json.encode(policy, order="sorted"))


def _make_partial(kind: type[Struct]) -> type[Struct]:
    """Return the struct type with every field optional, for checking one layer's keys and types."""
    fields: list[tuple[str, Any, Any]] = []
    for field in msgspec.structs.fields(kind):
        inner = field.type
        if isinstance(inner, type) and issubclass(inner, Struct):
            inner = _make_partial(inner)
        fields.append((field.name, inner | msgspec.UnsetType, UNSET))
    return msgspec.defstruct(kind.__name__, fields, forbid_unknown_fields=True, rename="kebab", kw_only=True)


def _check_layer(layer: dict[str, Any], source: str) -> dict[str, Any]:
    """Check a layer's keys, types and places, and return it."""
    source = f"{source} [policy]" if source == FILE else source
    convert(layer, _make_partial(Policy), source=source)
    for pattern in layer.get("production", {}).get("exempt", ()):
        if why := explain_pattern(pattern):
            raise ConfigError(
                f"{source}: production.exempt has '{pattern}', which is not a place",
                why=why,
                next="write it as 'autoclave plan' prints it, with * for part of a name, or as 'local'",
            )
    return layer
