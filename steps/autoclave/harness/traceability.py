"""The device's requirements and their tests, as the steps use them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

import msgspec

from autoclave.context import Context
from autoclave.device import requirements
from autoclave.device.requirements import links
from autoclave.device.schema import Image, Traceability
from autoclave.errors import AutoclaveError
from autoclave.gates import traceability
from autoclave.model.declared import Declared, Requirement
from autoclave.model.digest import digest_of
from autoclave.model.facts import TestRun

PLUGINS = "plugins"
"""The folder of Autoclave's pytest plugin in the test container, below `/autoclave`."""

_PLUGIN = "autoclave_requirements.py"
"""What harness/pytest_plugin.py is called there."""


def requirements_of(ctx: Context) -> tuple[Requirement, ...] | None:
    """Read the requirements of the device; None when the device names none. Raises ConfigError."""
    name = ctx.device.device.requirements
    ignored = ctx.device.traceability.not_requirements
    return requirements.read(ctx.source.folder, name, ignored=ignored) if name else None


def links_of(ctx: Context) -> Callable[[str], tuple[str, ...]]:
    """Return a function from a test's name to its requirements. Raises ConfigError."""
    name = ctx.device.traceability.links
    return links.read(ctx.source.folder, name) if name else lambda test: ()


def plugin(ctx: Context) -> dict[str, bytes]:
    """Return the pytest plugin as a file for the test container, when the device enables it."""
    if not ctx.device.traceability.pytest_plugin:
        return {}
    return {f"{PLUGINS}/{_PLUGIN}": files("autoclave.harness").joinpath("pytest_plugin.py").read_bytes()}


def inputs(ctx: Context) -> dict[str, str]:
    """Return the inputs of the tests' plan: none for a device without such a table."""
    table = ctx.device.traceability
    if table == Traceability():
        return {}
    links_of(ctx)  # an invalid file is reported before anything runs
    parts = [table.property.encode(), *plugin(ctx).values()]
    if table.links:
        parts.append(ctx.source.read(table.links))
    return {"traceability": digest_of(msgspec.json.encode([digest_of(part) for part in parts]))}


def warn_of_gaps(image: Image, run: TestRun, step: str, ctx: Context) -> None:
    """Warn in one line when this run does not verify all requirements of a device with one image; no gate."""
    if not ctx.device.device.requirements or len(ctx.device.image) > 1:
        return
    try:
        declared = Declared(requirements=requirements_of(ctx))
    except AutoclaveError as error:
        ctx.screen.warn(step, f"the requirements cannot be read: {error.what}")
        return
    reasons = traceability.judge(declared, {image.name: run}, ctx.policy)
    if reasons:
        more = f" ({len(reasons)} such reasons)" if len(reasons) > 1 else ""
        ctx.screen.warn(step, f"the release gate will close: {reasons[0]}{more}; see autoclave trace")
