"""A small device with real signed records in its store, for the commands of the CI hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import structs

from autoclave.cli.main import main
from autoclave.evidence import predicates, records, statement
from autoclave.evidence.statement import DEPLOYMENT, PROVENANCE, TEST_RESULT, VERIFICATION, VULNS, StepInfo
from autoclave.model.facts import Deployment
from autoclave.signers import development, open_signer
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import CONFIG, MANIFEST, Descriptor, Manifest, encode
from builders.sample_facts import BUILD, SCAN, STEP_INFO, TESTS, THEN

SHA = "a" * 40
DEVICE = """\
[device]
name = "pump"
version = "1.4.0"
safety-class = "B"
[[image]]
name = "app"
[image.service]
port = 8080
[[environment]]
name = "staging"
"""


class RecordedDevice:
    """A device repository with one image in its store, records to attach to it, and a CI host's commands."""

    def __init__(self, folder: Path, host: str) -> None:
        self.folder = folder
        self.host = host
        (folder / "autoclave.toml").write_text(DEVICE)
        self.store = LayoutStore(folder / ".autoclave" / "store")
        config = self.store.write([b'{"rootfs":{"type":"layers","diff_ids":[]}}'], media_type=CONFIG)
        manifest = Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=[])
        self.image: Descriptor = self.store.write([encode(manifest)], media_type=MANIFEST)
        self.store.tag("app", self.image)

    def attach(self, step: str, *reasons: str, key: str = development.STEPS) -> None:
        """Attach the signed record of a step: passed, or closed for these reasons."""
        made = structs.replace(STEP_INFO, step=step, passed=not reasons, reasons=reasons)
        kind, body = self._body(step, made)
        signer = open_signer(f"file:{development.ensure(key)[0]}", None)
        report = self.store.write([f"raw {step}".encode()], media_type="application/json")
        raw = statement.make(self.image.digest, kind, records.name_files(body, [("report.json", report)]))
        records.attach(self.store, self.image, raw, kind, signer, attachments=[("report.json", report)])

    def _body(self, step: str, made: StepInfo) -> tuple[str, dict[str, Any]]:
        if step == "build":
            return PROVENANCE, predicates.provenance(made, structs.replace(BUILD, commit=SHA), {})
        if step == "unit-test":
            return TEST_RESULT, predicates.test_result(made, TESTS)
        if step == "scan":
            return VULNS, predicates.vulns(made, SCAN)
        if step == "sign":
            return VERIFICATION, {"verificationResult": "PASSED", "autoclave": made}
        facts = Deployment(
            environment="staging",
            place="engine unix:///var/run/docker.sock",
            target="docker",
            running=(),
            started=THEN,
            finished=THEN,
        )
        return DEPLOYMENT, predicates.deployment(made, facts)

    def attach_all_passed(self) -> None:
        """Attach a passed record of every step up to the release gate."""
        for step in ("build", "unit-test", "scan"):
            self.attach(step)
        self.attach("sign", key=development.RELEASE)

    def run(self, *words: str) -> int:
        """Run one of the host's commands in the device repository and return its exit code."""
        return main([self.host, words[0], "-C", str(self.folder), *words[1:]])
