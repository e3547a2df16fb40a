"""`autoclave verify [DIGEST or FILE]`: what verifies, what does not, why, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import click
from msgspec import structs

from autoclave.actions.verify import Audit, audit
from autoclave.bundles import contents
from autoclave.cli import screen
from autoclave.cli.click_options import parameters
from autoclave.cli.commands import import_bundle
from autoclave.cli.image_options import find_images
from autoclave.console.base import Screen
from autoclave.context import Context
from autoclave.errors import AutoclaveError
from autoclave.model.verdict import Verdict
from autoclave.runtime.options import Common, ReleaseName, option


class Options(Common, frozen=True):
    """Options of `autoclave verify`."""

    digest: Annotated[
        str,
        option(
            "the digest of an image of the release, or a bundle's file, which is verified without a store or "
            "a device; none: the release judged last",
            argument=True,
        ),
    ] = ""
    release: ReleaseName = ""
    warn_days: Annotated[int, option("warn when a time stamp's certificate ends within so many days")] = 90


def command(name: str, text: str) -> click.Command:
    """Return the command; with a bundle it needs no device."""

    def run(**given: Any) -> int:
        options = Options(**given)
        view = screen.choose(as_json=options.json)
        try:
            if _is_file(options.digest):
                with TemporaryDirectory(prefix="autoclave-") as folder:
                    _verify(_unpack(options, Path(folder), view), view)
            else:
                _verify(options, view)
        finally:
            view.close()
        return 0

    return click.Command(name, callback=run, params=parameters(Options), help=text, short_help=text)


def _is_file(text: str) -> bool:
    """Return whether the argument names a file: a digest says how it was made."""
    return bool(text) and "sha256:" not in text


def _unpack(opts: Options, folder: Path, view: Screen) -> Options:
    """Unpack the bundle into a folder of its own, and return the options for it."""
    taken = import_bundle.Options(file=opts.digest, into=str(folder / "device"), trust=opts.trust)
    staged = import_bundle.run_import(taken, view, released=False)
    trust = folder / "trust.toml"
    trust.write_bytes(staged.files[contents.TRUST])
    digest = ",".join(f"{name}={digest}" for name, digest in staged.bundle.images.items())
    return structs.replace(opts, folder=taken.into, store="", trust=opts.trust or str(trust), digest=digest)


def _verify(opts: Options, view: Screen) -> None:
    """Report on every image; raise the gravest problem, whose exit code says its kind."""
    ctx = Context(opts, view)
    problems: list[AutoclaveError] = []
    for found in audit(find_images(opts.digest, ctx, release=opts.release), ctx, warn_days=opts.warn_days):
        _print(found, ctx)
        problems += found.problems
    if problems:
        raise max(problems, key=lambda each: (each.code >= 40, -each.code))


def _print(found: Audit, ctx: Context) -> None:
    lines = [f"image {found.image} {found.digest}"]
    lines += [f"  ✔ {each.name:<13} {each.digest}" for each in found.records]
    for each in found.stamps:
        if each.stamp:
            lines.append(
                f"  ✔ time-stamped  {each.stamp.time:%Y-%m-%d %H:%M:%S} UTC ({each.stamp.authority})"
            )
    lines += [_verdict_line("the policy of the day", found.day), _verdict_line("today's policy", found.today)]
    for problem in found.problems:
        lines.append(f"  ✘ {problem.what} (exit code {problem.code})")
        lines += [f"      why:  {line}" for line in problem.why.splitlines()]
        lines += [f"      next: {problem.next}"] if problem.next else []
    ctx.screen.result(
        "\n".join(lines),
        {
            "image": found.image,
            "digest": found.digest,
            "result": found.result,
            "problems": [
                {"code": each.code, "what": each.what, "why": each.why, "next": each.next}
                for each in found.problems
            ],
            "day": found.day,
            "today": found.today,
            "warnings": found.warnings,
        },
    )
    for warning in found.warnings:
        ctx.screen.warn("verify", warning)


def _verdict_line(policy: str, verdict: Verdict | None) -> str:
    if verdict is None:
        return f"  - {policy} is not known: the release record does not contain it; today's is used instead"
    return f"  {'✔' if verdict.passed else '✘'} by {policy}: {'passes' if verdict.passed else 'CLOSED'}"
