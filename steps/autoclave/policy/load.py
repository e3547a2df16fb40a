"""The policy in force: the profile of the safety class, tightened by the organisation, then the device."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from autoclave.device.schema import FILE, Device, SafetyClass
from autoclave.errors import ConfigError
from autoclave.policy.schema import Policy, tighten
from autoclave.runtime.toml import convert, read_toml


def effective_policy(device: Device, organisation: str = "") -> Policy:
    """Return what the gates require of this device.

    `organisation` is the path of the organisation's policy file, or empty. Raises ConfigError for
    a file that cannot be used (an empty one is an error) and PolicyLoosened for a layer that
    requires less than the one above it.
    """
    safety_class = device.device.safety_class
    policy, above = read_profile(safety_class), f"the class {safety_class} profile"
    if organisation:
        layer = read_toml(Path(organisation))
        if not layer:
            raise ConfigError(
                f"{organisation}: the policy is empty",
                why="an empty policy requires nothing: probably not what was meant",
                next="write a requirement into it, or leave out --policy",
            )
        policy = tighten(
            policy, _check_layer(layer, organisation), source=organisation, above=above, grants=True
        )
        above = organisation
    return tighten(policy, _check_layer(device.policy, FILE), source=FILE, above=above)


def read_profile(safety_class: SafetyClass) -> Policy:
    """Return the built-in profile of a safety class."""
    name = f"{safety_class}.toml"
    text = resources.files("autoclave.policy.profiles").joinpath(name).read_text("utf-8")
    return convert(tomllib.loads(text), Policy, source=f"profile {name}")


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
    """Check a layer's keys and types, and return it."""
    convert(layer, _make_partial(Policy), source=f"{source} [policy]" if source == FILE else source)
    return layer
