"""The surroundings of one command: device, policy, trust, store, engine, signer, screen."""

from __future__ import annotations

import copy
import fnmatch
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Raw

from autoclave import __version__, engines, hosts
from autoclave.console.base import Screen
from autoclave.console.progress import Transfer
from autoclave.device import device_file, schema, source
from autoclave.device.repository import refuse_own
from autoclave.device.root import find_root
from autoclave.device.schema import Device, Image
from autoclave.device.source import Source
from autoclave.engines.base import DEVICE_LABEL, OWNER_LABEL, RUN_LABEL, Engine, ImageState
from autoclave.errors import (
    AutoclaveError,
    ConfigError,
    EngineError,
    SignerError,
    SourceError,
    StoreError,
    UsageError,
)
from autoclave.evidence import records, statement, trust
from autoclave.evidence.records import RawRecord, Record
from autoclave.evidence.statement import StepInfo
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.evidence.trust_reasons import explain_signer
from autoclave.hosts.base import Host
from autoclave.model import steps
from autoclave.model.digest import Digest, Digests
from autoclave.model.plan import StepPlan
from autoclave.model.release import LARGEST, OpenedRelease
from autoclave.model.verdict import Verdict
from autoclave.policy import load as policy
from autoclave.policy.schema import Policy
from autoclave.runtime import surroundings
from autoclave.runtime.folder import Folder, folder_at
from autoclave.runtime.options import Common, Signing
from autoclave.runtime.owner import owner
from autoclave.runtime.redact import Mask
from autoclave.runtime.shell import Shell
from autoclave.signers import Signer, development, open_signer
from autoclave.store.archive.write import write_archive
from autoclave.store.artifacts import INDEXES
from autoclave.store.base import Store, is_address
from autoclave.store.image import read_identity
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import Descriptor, parse_manifest

STATE, REPORTS = ".autoclave", "reports"
DURATIONS = "durations.json"
_MOST = 1 << 20  # bytes of that file

_MAY_SIGN = {
    development.STEPS: tuple(each.role for each in steps.STEPS if each is not steps.SIGN),
    development.RELEASE: (steps.SIGN.role,),
}
"""The roles of each development key."""


def open_state(folder: Path) -> Folder:
    """Return the folder `.autoclave` of a device folder; a new one is ignored by git.

    Raises SourceError when it is a link, or another user's: who owns it could exchange what is read from it.
    """
    device = Folder(folder)
    state, is_new = device.at(STATE), device.kind(STATE) is None
    with state.make().opened() as descriptor:
        owner_id = os.fstat(descriptor).st_uid
    if owner_id not in {0, os.geteuid(), folder.stat().st_uid}:
        raise SourceError(
            f"{state.path} belongs to another user",
            why=f"its owner has the id {owner_id}, and this process {os.geteuid()}",
            next=f"remove it: rm -r {state.path}",
        )
    if is_new:
        state.write(".gitignore", [b"*\n"])
    return state


def _refuse_other_template(version: str) -> None:
    if version and version != __version__:
        raise ConfigError(
            f"the template is of version {version}, but this is Autoclave {__version__}",
            why="a template and the steps that it runs must be of the same version",
            next="include the template at the tag of the version in the job image",
        )


def _read_development_keys(folder: Path) -> list[TrustedKey]:
    """Return the development keys whose public keys are in a folder."""
    return [
        TrustedKey(name=name, key=trust.public_key(path), may=may, development=True)
        for name, may in _MAY_SIGN.items()
        if (path := folder / f"{name}.pub").is_file()
    ]


class ImageChoice(Protocol):
    """Options that name images, and digests of them."""

    @property
    def image(self) -> tuple[str, ...]:
        """The names of the images; empty for all of the device."""

    @property
    def digest(self) -> str:
        """One digest, or NAME=DIGEST,NAME=DIGEST."""


class Context:
    """The surroundings of one command; what is slow to open is opened at first use."""

    def __init__(self, options: Common, screen: Screen) -> None:
        surroundings.check(os.environ)
        _refuse_other_template(options.template)
        self.options = options
        self.screen = screen
        self.folder = find_root(Path(options.folder))
        is_address(options.store)  # a registry that is written in another way is refused before any work
        if options.policy:
            refuse_own(Path(options.policy), self.folder, "policy")
        self.released: OpenedRelease | None = None
        self.judged = ""
        self.shell = Shell(echo=self._echo if options.verbose else None, mask=Mask())
        self.run_id = uuid.uuid4().hex
        self.cancelled = threading.Event()
        self.handover_keys: list[Path] = []
        self.built: dict[str, Descriptor] = {}
        self._opening = threading.Lock()

    def _echo(self, text: str) -> None:
        """Print a command as one to paste: in the checkout, since what was written is removed afterwards."""
        opened: Source | None = self.__dict__.get("source")
        self.screen.command(opened.name_original(text) if opened else text)

    @cached_property
    def source(self) -> Source:
        """What the command works on: the commit, or what lies in the work tree.

        A step that makes a release takes the commit, unless a person asks for the work tree, or a policy that
        requires no clean tree is in force on a person's machine. Other commands show what lies there. Raises
        UsageError, SourceError.
        """
        chosen: bool | None = getattr(self.options, "worktree", None)
        is_job = self.host.name != hosts.LOCAL
        if chosen and is_job:
            raise UsageError(
                "--worktree is not for a job of a CI host",
                why="what a job builds is the commit that it was started for",
                next="leave out --worktree (AUTOCLAVE_WORKTREE), and commit what is to be built",
            )
        if chosen is None or chosen or not (is_job or self._is_commit_required()):
            return source.open_work_tree(self.folder, self.shell)
        return source.open_commit(self.folder, self.state.path, self.shell)

    def _is_commit_required(self) -> bool:
        """Return whether the policy of what lies in the folder requires a clean tree."""
        demanded = policy.effective_policy(device_file.load(self.folder), self.options.policy)
        return demanded.release.clean_tree

    def _require_device_file(self) -> None:
        """Refuse a commit without a device file when one lies here. Raises SourceError."""
        if (self.source.folder / schema.FILE).exists() or not (self.folder / schema.FILE).exists():
            return
        raise SourceError(
            f"{schema.FILE} is not committed",
            why=f"the commit {self.source.commit[:12]} has no such file in {self.folder}",
            next=f"git add {schema.FILE} and what it names, and commit; or build what lies there: --worktree",
        )

    def _note_differences(self) -> None:
        """Note on a person's machine that what lies there is not what the command works on."""
        if self.source.is_worktree or self.host.name != hosts.LOCAL:
            return
        if count := source.count_differences(self.source.folder, self.folder):
            files = f"{count} files differ" if count > 1 else "1 file differs"
            self.screen.note(
                "source",
                f"this is commit {self.source.commit[:12]}; here {files} from it, and what differs is not "
                "used (--worktree takes what lies here)",
            )

    def name_checkout(self, error: AutoclaveError) -> None:
        """Let an error name files where a person edits them, not where the commit was written."""
        if "source" in self.__dict__:
            original = self.source.name_original
            error.what, error.why, error.next = map(original, (error.what, error.why, error.next))

    def close(self) -> None:
        """Remove what this command wrote for itself."""
        if "source" in self.__dict__:
            self.source.close()
        if "store" in self.__dict__:
            self.store.close()

    @cached_property
    def device(self) -> Device:
        """What the device file describes: the release's, once one is adopted."""
        self._require_device_file()
        device = device_file.load(self.source.folder)
        self._mask_secrets(device)
        self._note_differences()
        return device

    def _mask_secrets(self, device: Device) -> None:
        """Let the values of a device's build secrets never be printed."""
        names = [secret.env for image in device.image for secret in image.secrets]
        self.shell.mask.add(os.environ[name] for name in names if os.environ.get(name))

    @cached_property
    def policy(self) -> Policy:
        """What the gates require of this device today."""
        return policy.effective_policy(self.device, self.options.policy)

    @cached_property
    def policy_digest(self) -> str:
        """The digest of the policy."""
        return policy.digest(self.policy)

    def adopt(self, release: OpenedRelease, device: Device) -> None:
        """Work on a release from now on: device, policy and images are what it names, not the checkout's."""
        self._mask_secrets(device)
        self.released, self.device = release, device
        for derived in ("policy", "policy_digest"):
            self.__dict__.pop(derived, None)

    @property
    def opened(self) -> OpenedRelease:
        """The release that this command works on. Raises StoreError when none is open."""
        if self.released is None:
            raise StoreError("no release is open", next="run 'autoclave sign', or name one with --release")
        return self.released

    def read_released(self, title: str) -> bytes:
        """Return a file of the adopted release. Raises StoreError when it has none of that title."""
        return read_file(self.store, self.opened, title)

    def fork(self) -> Context:
        """Return a context with the same surroundings, which can adopt another release."""
        return copy.copy(self)

    @cached_property
    def state(self) -> Folder:
        """The folder of this device's store, reports and locks. Raises SourceError when it is not trusted."""
        return open_state(self.folder)

    def read_durations(self) -> bytes:
        """Return the file of how long steps took; empty without one."""
        return self.state.read(DURATIONS, limit=_MOST) if self.state.kind(DURATIONS) else b""

    def write_durations(self, raw: bytes) -> None:
        """Replace the file of how long steps took."""
        self.state.write(DURATIONS, [raw])

    def folder_at(self, path: str) -> Folder:
        """Return a folder that an option names: no link is followed in the device folder."""
        return folder_at(Path(path), self.folder)

    @cached_property
    def store(self) -> Store:
        """The store."""
        chosen = self.options.store
        if is_address(chosen):
            from autoclave.store.registry.auth import find_credentials
            from autoclave.store.registry.store import RegistryStore

            cache = LayoutStore(self.state.at("registry"))
            return RegistryStore(
                chosen,
                cache,
                lambda place: find_credentials(place, self.shell),
                moved=lambda what, total: Transfer(self.screen, "store", what, total).count,
            )
        return LayoutStore(self.folder_at(chosen) if chosen else self.state.at("store"))

    @property
    def engine(self) -> Engine:
        """The container engine."""
        with self._opening:  # two steps may open it at once
            return self._engine

    @cached_property
    def _engine(self) -> Engine:
        return engines.create(self.options.engine, self.shell, self.options.engine_command)

    @cached_property
    def host(self) -> Host:
        """The CI host whose job this is, else the local one."""
        return hosts.detect(os.environ)

    @cached_property
    def trust(self) -> Trust:
        """Which keys may sign what: the organisation's file, else development keys.

        Those are this user's, and those that earlier jobs of the same pipeline left.
        """
        if self.options.trust:
            return trust.load(Path(self.options.trust), device=self.folder)
        for name in development.NAMES:
            development.ensure(name)
        folders = [development.folder(), *self.handover_keys]
        keys = {each.key.keyid: each for folder in folders for each in _read_development_keys(folder)}
        return Trust(tuple(keys.values()), "the development keys in " + ", ".join(map(str, folders)))

    @cached_property
    def signer(self) -> Signer:
        """The key that signs records."""
        options = self.options if isinstance(self.options, Signing) else Signing()
        return self.open_signer(options.key, options.public_key, development.STEPS)

    @staticmethod
    def open_signer(uri: str, public: str, otherwise: str) -> Signer:
        """Open a signer by URI; without a URI, the named development key."""
        if not uri:
            uri, public = f"file:{development.ensure(otherwise)[0]}", ""
        return open_signer(uri, trust.public_key(Path(public)) if public else None)

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)

    def images(self, names: tuple[str, ...]) -> list[Image]:
        """Return the images to work on: the named ones, else all."""
        return [self.device.find_image(name) for name in names] if names else list(self.device.image)

    def digests(self, opts: ImageChoice) -> Digests:
        """Return the release's digests, else those that the options give.

        Raises UsageError, StoreError for malformed ones.
        """
        if self.released:
            return Digests(self.released.document.images, named=True)
        return Digests.parse(opts.digest, [each.name for each in self.images(opts.image)])

    def subject(self, image: Image, digest: str = "") -> Descriptor:
        """Return the image to work on: by digest, else the release's, else the one built last.

        What this run built comes before what the name refers to: in a shared store that may be another run's
        image by now. Raises StoreError.
        """
        if self.released:
            digest = digest or self.released.document.images[image.name]
        if digest:
            return self.store.find_image(digest)
        listed = self.built.get(image.name) or self.store.find(image.name)
        if listed is None:
            raise StoreError(f"image '{image.name}' has not been built", next="run 'autoclave build' first")
        return self.store.find_image(listed.digest)

    def info(
        self,
        plan: StepPlan,
        verdict: Verdict,
        started: datetime,
        finished: datetime,
    ) -> StepInfo:
        """Return what a record says about how it was made, and of what: the release, else the source."""
        made_of = self.released.document if self.released else self.source
        return StepInfo(
            step=plan.step,
            autoclave_version=__version__,
            device=self.device.device.name,
            device_version=self.device.device.version,
            safety_class=self.device.device.safety_class,
            image=plan.image,
            commit=made_of.commit,
            tree=made_of.tree,
            inputs=plan.digest,
            policy=self.policy_digest,
            started_on=started,
            finished_on=finished,
            passed=verdict.passed,
            reasons=verdict.reasons,
        )

    def attach(
        self,
        image: Descriptor,
        predicate_type: str,
        predicate: dict[str, Any] | bytes,
        *,
        signer: Signer | None = None,
        attachments: list[tuple[str, Descriptor]] | None = None,
        stamped: Callable[[bytes], Sequence[tuple[str, Descriptor]]] = lambda _: (),
    ) -> RawRecord:
        """Sign a record about an image, attach and return it; `stamped` gives more files for the envelope."""
        signer = signer or self.signer
        self._refuse_untrusted(signer, statement.ROLES_OF[predicate_type])
        if attachments and isinstance(predicate, dict):
            predicate = records.name_files(predicate, attachments)
        body = Raw(predicate) if isinstance(predicate, bytes) else Raw(msgspec.json.encode(predicate))
        return records.attach(
            self.store,
            image,
            statement.make(image.digest, predicate_type, body),
            predicate_type,
            signer,
            attachments=attachments or [],
            stamped=stamped,
        )

    def _refuse_untrusted(self, signer: Signer, roles: tuple[str, ...]) -> None:
        """Refuse a key before it signs a record that later steps reject, and that stays attached."""
        if any(each.key == signer.public_key for each in self.trust.for_role(*roles)):
            return
        why, next_ = explain_signer(signer.public_key, roles, self.trust)
        raise SignerError(
            f"the key {signer.public_key.keyid[:12]} may not sign {' or '.join(roles)}", why=why, next=next_
        )

    def write_report(self, image: str, name: str, chunks: Iterable[bytes]) -> Path:
        """Write one report of an image and return its path."""
        return self.state.write(f"{REPORTS}/{image}/{name}", chunks)

    def remove_reports(self, image: str, pattern: str) -> None:
        """Remove an image's reports of an earlier run, by a pattern of their names."""
        folder = self.state.at(f"{REPORTS}/{image}")
        for name in fnmatch.filter(folder.names(), pattern):
            folder.remove(name)

    def record(self, image: Descriptor, predicate_type: str, plan: StepPlan) -> Record | None:
        """Return the newest record of a type when it verifies and was made from exactly this plan."""
        good, _ = records.read_all(self.store, image.digest, self.trust)
        return records.find_by_inputs(good, predicate_type, plan.digest)

    def require(self, verdict: Verdict, *, repeat: str) -> None:
        """Raise the step's GateClosed unless the verdict passed; `repeat` is the command that repeats it."""
        if verdict.passed:
            return
        error = steps.find(verdict.gate).gate_error(
            f"gate closed: {verdict.gate}", why="\n".join(verdict.reasons), next=f"repeat it with: {repeat}"
        )
        error.reasons = verdict.reasons
        raise error

    def labels(self) -> dict[str, str]:
        """Return the labels by which a later run finds what this run left."""
        return {RUN_LABEL: self.run_id, OWNER_LABEL: owner(), DEVICE_LABEL: self.device.device.name}

    def cancel(self) -> None:
        """Stop everything that this run started: commands, containers and networks."""
        self.cancelled.set()
        self.shell.cancel()
        if "_engine" in self.__dict__:
            # What the engine does not remove now, a later run removes; that the run was stopped must be seen.
            with suppress(EngineError):
                for container in self._engine.containers({RUN_LABEL: self.run_id}):
                    self._engine.remove(container.id)
                for network in self._engine.networks({RUN_LABEL: self.run_id}):
                    self._engine.remove_network(network.name)


def read_file(store: Store, release: OpenedRelease, title: str) -> bytes:
    """Return a file of a release, by its digest. Raises StoreError when it has none of that title."""
    digest = release.document.files.get(title)
    if digest is None:
        raise StoreError(
            f"release {Digest(release.digest).short} has no {title}",
            why="what it was signed without cannot be used now",
            next="add it and run 'autoclave sign' again",
        )
    return store.read(digest, limit=LARGEST)


def load_image(descriptor: Descriptor, ctx: Context) -> ImageState:
    """Return the engine's image for a digest; load it from the store when the engine does not have it.

    The id of an image is the digest of its configuration in the classic image store, and of its manifest in
    the containerd store: either proves that it is this image. Raises StoreError when the engine has neither.
    """
    names = (read_identity(ctx.store, descriptor.digest).config, descriptor.digest)
    found = _find_in_engine(names, ctx)
    if found is None:
        total = _measure(descriptor, ctx.store)
        moved = Transfer(ctx.screen, "engine", f"{Digest(descriptor.digest).short} into the engine", total)
        ctx.engine.load(moved.count(write_archive(ctx.store, descriptor.digest, name="")))
        found = _find_in_engine(names, ctx)
    if found is None:
        raise StoreError(
            f"the engine does not have {descriptor.digest} after loading it",
            why="it has neither the digest of its configuration nor that of its manifest",
        )
    return found


def _measure(descriptor: Descriptor, store: Store) -> int:
    """Return the bytes of an image's layers as they are stored; 0 for an index of images."""
    if descriptor.media_type in INDEXES:
        return 0
    return sum(each.size for each in parse_manifest(store.read(descriptor.digest), descriptor.digest).layers)


def _find_in_engine(names: tuple[str, str], ctx: Context) -> ImageState | None:
    for name in names:
        found = ctx.engine.image(name)
        if found and found.id in names:
            return found
    return None
