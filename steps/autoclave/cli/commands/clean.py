"""`autoclave clean`: remove what nobody needs from the store and the engine; first it only says what."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import click

from autoclave.actions import clean
from autoclave.actions.clean import Cleaning
from autoclave.build import RELEASED
from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.engines.removal import find_unneeded
from autoclave.errors import EngineError, UsageError
from autoclave.model.digest import Digest
from autoclave.runtime.options import Common, option
from autoclave.store.layout import LayoutStore
from autoclave.store.registry.store import RegistryStore

_WHAT = "clean"
_LEAST_DAYS_SHARED = 7


class Options(Common, frozen=True, kw_only=True):
    """Options of `autoclave clean`."""

    older_than: Annotated[int, option("only what is older than so many days")] = 30
    remove: Annotated[bool, option("remove what is listed; without it, nothing is changed")] = False


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    before = ctx.now() - timedelta(days=opts.older_than)
    if isinstance(ctx.store, LayoutStore):
        _clean_layout(ctx.store, before, opts, ctx)
    elif isinstance(ctx.store, RegistryStore):
        _clean_registry(ctx.store, before, opts, ctx)
    _clean_cache(before, opts, ctx)
    _clean_engine(before, opts, ctx)
    if not opts.remove:
        ctx.screen.note(_WHAT, "nothing was changed; --remove removes what is listed")


def _clean_layout(store: LayoutStore, before: datetime, opts: Options, ctx: Context) -> None:
    pinned = clean.find_pinned(ctx)
    if not opts.remove:
        _report(clean.make_plan(store, store.inventory(), before, pinned), ctx)
        return
    with store.alone():
        made = clean.make_plan(store, store.inventory(), before, pinned)
        _report(made, ctx)
        removed = store.clean(made.plan.kept.keys(), made.needed, before)
    ctx.screen.result(
        f"store: {removed.files} files removed, {_mega(removed.size)}",
        {"removed": "store", "files": removed.files, "bytes": removed.size},
    )


def _clean_registry(store: RegistryStore, before: datetime, opts: Options, ctx: Context) -> None:
    if opts.older_than < _LEAST_DAYS_SHARED:
        raise UsageError(
            f"a registry is cleaned of what is older than {_LEAST_DAYS_SHARED} days or more",
            why="no lock reaches the other machines that may be writing to it",
            next=f"--older-than {_LEAST_DAYS_SHARED}, while no pipeline runs",
        )
    made = clean.make_plan(store, store.inventory(), before, clean.find_pinned(ctx))
    _report(made, ctx)
    if opts.remove and made.images:
        gone = store.remove(made.plan.removable)
        ctx.screen.result(
            f"registry: {len(gone)} images deleted with their records; its own collection frees the disk",
            {"removed": "registry", "images": gone},
        )
        if skipped := len(made.images) - len(gone):
            ctx.screen.warn(_WHAT, f"{skipped} images were left: something was attached to them just now")


def _clean_cache(before: datetime, opts: Options, ctx: Context) -> None:
    cache = clean.find_cache(ctx)
    if cache is None:
        return
    files, size = cache.size()
    if opts.remove:
        files, size = clean.clean_cache(cache, before)
    text = f"copy of the registry: {files} files{' removed' if opts.remove else ' (old ones are removed)'}"
    ctx.screen.result(f"{text}, {_mega(size)}", {"cache": files, "bytes": size, "removed": opts.remove})


def _clean_engine(before: datetime, opts: Options, ctx: Context) -> None:
    """Take names from images of this device in the engine; what runs, or is kept stopped, stays."""
    try:
        used = {each.image for each in ctx.engine.containers({})}
        found = ctx.engine.list_images(f"{RELEASED}/{ctx.device.device.name}/")
        for each in find_unneeded(found, used, before):
            if opts.remove:
                ctx.engine.remove_name(each.name)
            ctx.screen.result(
                f"engine: {each.name}{' removed' if opts.remove else ''}, {_mega(each.size)}",
                {"engine": each.name, "bytes": each.size, "removed": opts.remove},
            )
    except EngineError as error:
        ctx.screen.warn(_WHAT, f"the engine was left as it is: {error.reason}")


def _report(made: Cleaning, ctx: Context) -> None:
    """Print what may be removed, and how much is kept for which reason."""
    for each in made.images:
        written = f", of {each.written:%Y-%m-%d}" if each.written and each.written.year > 1 else ""
        ctx.screen.result(
            f"store: image {Digest(each.digest).short}{written}, {_mega(each.size)}: neither named, sealed, "
            "deployed, signed nor referred to",
            {"image": each.digest, "bytes": each.size},
        )
    reasons = [why for why in made.plan.kept.values() if not why.startswith("belongs")]
    ctx.screen.result(
        f"store: {len(made.images)} images may be removed; {len(made.plan.kept)} manifests are kept "
        f"({_count(reasons)})",
        {"images": len(made.images), "kept": made.plan.kept},
    )


def _count(reasons: list[str]) -> str:
    kinds = [why.partition(" called ")[0] + (" called" if " called " in why else "") for why in reasons]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "none"


def _mega(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
