"""The same look at the files before a step or a run begins: what is wrong ends it at once."""

from __future__ import annotations

from autoclave.actions.validate import Finding, Level, check, combine
from autoclave.context import Context

STEP = "validate"


def require_valid(ctx: Context, *, tested: bool = False, warned: bool = False) -> None:
    """Raise ConfigError that names everything in the files that no step could work with.

    With `tested`, that an image has no tests is such a thing. With `warned`, a warning says for what a gate
    will close: known now, and not only after everything was built, tested and scanned.
    """
    _ = ctx.device  # what it refuses comes first, such as a device file that is not committed
    found = check(ctx.source.folder, ctx.options.policy, ctx.now().date())
    bad = [each for each in found if each.level is Level.ERROR or (tested and _is_untested(each))]
    if bad:
        raise combine(bad)
    for each in found if warned else ():
        if each.level is Level.GAP:
            then = f" ({each.next})" if each.next else ""
            ctx.screen.warn(STEP, f"there will be no release: {each.what}{then}")


def _is_untested(each: Finding) -> bool:
    return each.level is Level.GAP and each.key.endswith("].unit-test")
