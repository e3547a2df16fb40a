"""A device of three images whose records carry a release, and its steps without processes."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from pathlib import Path

import msgspec
from msgspec import structs

from autoclave import sign
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.evidence import predicates
from autoclave.evidence.statement import PROVENANCE, SBOM, TEST_RESULT, VULNS, StepInfo
from autoclave.model.plan import StepPlan
from autoclave.model.verdict import Verdict
from autoclave.runtime.options import Common
from autoclave.store.image import read_identity
from autoclave.store.oci import Descriptor, parse_manifest
from builders.reading_store import ReadingStore
from builders.sample_facts import BUILD, NOW, SCAN, TESTS, THEN
from builders.sample_image import write_image

DEVICE = """\
[device]
name = "pump"
version = "1"
safety-class = "A"
[[image]]
name = "app"
[image.service]
port = 8080
[[image]]
name = "exporter"
[image.service]
port = 9090
[[image]]
name = "tools"
[[environment]]
name = "staging"
"""
NAMES = ("app", "exporter", "tools")
"""The last one has no service: it is released with the others, and not deployed."""


class FixedContext(Context):
    """A command's surroundings at a fixed time, with a store that counts."""

    def now(self) -> datetime:
        """Return the time of the sample facts."""
        return NOW

    @cached_property
    def store(self) -> ReadingStore:
        """The device's store."""
        return ReadingStore(self.state.at("store"))


class TestedDevice:
    """A device folder with three images, each with the records of its steps up to `sign`.

    The keys are development keys: set XDG_CONFIG_HOME before.
    """

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "autoclave.toml").write_text(DEVICE)
        ctx = self.context(Common(folder=str(folder)))
        self.images = {name: _attach_records(name, ctx) for name in NAMES}

    def context(self, opts: Common | None = None) -> FixedContext:
        """Return the surroundings of a new command, whose store has counted nothing yet."""
        return FixedContext(opts or Common(folder=str(self.folder)), JsonScreen())

    def sign(self, *, again: bool = False) -> FixedContext:
        """Run the release gate, and return its surroundings."""
        opts = sign.Options(folder=str(self.folder), again=again)
        ctx = self.context(opts)
        sign.run(opts, ctx)
        return ctx

    def attach_test_result(self, name: str = "app") -> str:
        """Attach one more test record to an image and return its digest."""
        ctx = self.context()
        body = predicates.test_result(_step_info("unit-test", name, ctx), TESTS)
        return ctx.attach(self.images[name], TEST_RESULT, body).digest

    def remove(self, digest: str) -> None:
        """Take a record out of the store's index."""
        path = self.folder / ".autoclave" / "store" / "index.json"
        index = msgspec.json.decode(path.read_bytes())
        index["manifests"] = [each for each in index["manifests"] if each["digest"] != digest]
        path.write_bytes(msgspec.json.encode(index))

    def blobs(self, image: Descriptor) -> set[str]:
        """Return the digests of the manifests and envelopes of the records that are attached now."""
        store = self.context().store
        listed = store.referrers(image.digest)
        manifests = [parse_manifest(store.read(each.digest), each.digest) for each in listed]
        return {each.digest for each in listed} | {each.layers[0].digest for each in manifests}


def _attach_records(name: str, ctx: Context) -> Descriptor:
    image = write_image(ctx.store, name.encode(), name=name)
    config = read_identity(ctx.store, image.digest).config
    build = structs.replace(BUILD, config=config)
    ctx.attach(image, PROVENANCE, predicates.provenance(_step_info("build", name, ctx), build, {}))
    ctx.attach(image, TEST_RESULT, predicates.test_result(_step_info("unit-test", name, ctx), TESTS))
    ctx.attach(image, VULNS, predicates.vulns(_step_info("scan", name, ctx), SCAN))
    bom = {"bomFormat": "CycloneDX", "metadata": {"timestamp": THEN}, "components": []}
    ctx.attach(image, SBOM, msgspec.json.encode(bom))
    return image


def _step_info(step: str, image: str, ctx: Context) -> StepInfo:
    plan = StepPlan(step=step, image=image, commands=(), tools={}, inputs={})
    return ctx.info(plan, Verdict(step), THEN, THEN)
