"""`autoclave import FILE`: check a bundle offline, then import it into a store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import click

from autoclave.bundles import check, contents, merge, unpack, write
from autoclave.bundles.unpack import StagedBundle
from autoclave.cli import screen
from autoclave.cli.click_options import parameters
from autoclave.cli.commands.export_bundle import describe
from autoclave.console.base import Screen
from autoclave.context import STATE, open_state
from autoclave.device import device_file
from autoclave.device.root import find_root
from autoclave.evidence import trust, trust_export
from autoclave.evidence.trust import Trust
from autoclave.release import document
from autoclave.runtime.folder import Folder, folder_at
from autoclave.runtime.options import Common, option
from autoclave.runtime.shell import Shell
from autoclave.store.base import Store, is_address
from autoclave.store.layout import LayoutStore

STEP = "import"


class Options(Common, frozen=True, kw_only=True):
    """Options of `autoclave import`."""

    file: Annotated[str, option("the bundle", argument=True)]
    into: Annotated[
        str, option("import into the store of this folder, to deploy there; none: into that of --folder")
    ] = ""


def command(name: str, text: str) -> click.Command:
    """Return the command; it needs no device, for the bundle brings one."""

    def run(**given: Any) -> int:
        options = Options(**given)
        view = screen.choose(as_json=options.json)
        try:
            run_import(options, view)
        finally:
            view.close()
        return 0

    return click.Command(name, callback=run, params=parameters(Options), help=text, short_help=text)


def run_import(opts: Options, view: Screen, *, released: bool = True) -> StagedBundle:
    """Check the bundle, and import it when all of it is good; return what it contains beside the blobs.

    With `released`, it must be a release: passed, and signed.
    """
    folder = _device_folder(opts)
    beside = Folder(folder).at(f"{STATE}/store")
    if opts.store and not is_address(opts.store):
        beside = folder_at(Path(opts.store), folder)
    shell = Shell(echo=view.command if opts.verbose else None)
    with merge.staging_folder(beside) as place:
        staged = unpack.unpack(Path(opts.file), place)
        trusted = _trust(opts, staged, view)
        bundle, now = staged.bundle, datetime.now(UTC)
        means = check.Means(store=staged.store, shell=shell, trust=trusted, now=now)
        images, _ = check.read(bundle.images, bundle.device, means, strict=True)
        check.check_contents(staged, images)
        if released:
            check.refuse_unreleased(images)
        _check_device(staged)
        target = _target(opts, beside, shell)
        merge.merge(staged, images, target)
        named = {document.keep_imported(image.records, target) for image in images} - {""}
    for image in images:
        view.result(
            "\n".join([f"image {image.name} {image.digest}", *describe(image)]),
            {"image": image.name, "digest": image.digest, "result": image.result, "seal": image.chain.newest},
        )
    for digest in sorted(named):
        view.result(f"release {digest}", {"release": digest})
    if staged.files[contents.VERIFIER] != write.verifier():
        view.warn(STEP, f"its {contents.VERIFIER}, signed with the release, is not the one of this Autoclave")
    view.result(f"imported into {opts.store or beside.path}", {"store": opts.store or str(beside.path)})
    return staged


def _device_folder(opts: Options) -> Path:
    return Path(opts.into) if opts.into else find_root(Path(opts.folder))


def _trust(opts: Options, staged: StagedBundle, view: Screen) -> Trust:
    """Return the site's trust, else the bundle's own, said loudly."""
    own = check.read_own_trust(staged)
    if opts.trust:
        return trust.load(Path(opts.trust), device=_device_folder(opts))
    view.warn(STEP, "no --trust is given: THIS BUNDLE VOUCHES FOR ITSELF")
    view.warn(STEP, "whoever made it chose these keys; compare their fingerprints with the maker's:")
    for key in own.keys:
        view.warn(STEP, f"  {trust_export.fingerprint(key)} {key.name}: {', '.join(key.may)}")
    return own


def _check_device(staged: StagedBundle) -> None:
    """Refuse a device file that is invalid, or about another device than the bundle is."""
    found = device_file.parse(staged.files[contents.DEVICE], source=contents.DEVICE)
    if found.device.name != staged.bundle.device:
        raise contents.refusal(f"its device file is about {found.device.name}, not {staged.bundle.device}")


def _target(opts: Options, beside: Folder, shell: Shell) -> Store:
    if not is_address(opts.store):
        return LayoutStore(beside)
    from autoclave.store.registry.auth import find_credentials
    from autoclave.store.registry.store import RegistryStore

    cache = LayoutStore(open_state(_device_folder(opts)).at("registry"))
    return RegistryStore(opts.store, cache, lambda place: find_credentials(place, shell))
