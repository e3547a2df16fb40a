"""Others' scanners act on what `autoclave vex` writes: the image is scanned where a customer finds it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoclave.evidence.vex import cyclonedx_export, openvex
from autoclave.model.declared import SignedWaiver
from autoclave.model.vex import Product
from builders import real_trivy
from builders.pushed_image import NOW, WAIVER, Pushed, decide, found_by_trivy, push, trivy, write


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushed]:
    with push(tmp_path_factory.mktemp("pushed")) as image:
        yield image


def test_trivy_finds_the_vulnerabilities_without_the_document(image: Pushed) -> None:
    found = found_by_trivy(trivy(image.cache, "image", image.pushed))
    assert {("CVE-2019-10906", "jinja2"), ("CVE-2022-37434", "zlib1g")} <= found


def test_trivy_drops_what_was_decided_and_nothing_else(image: Pushed, tmp_path: Path) -> None:
    everything = decide(image, tmp_path)
    assert found_by_trivy(trivy(image.cache, "image", "--vex", str(everything), image.pushed)) == set()
    some = decide(image, tmp_path, only="pkg:pypi")
    left = found_by_trivy(trivy(image.cache, "image", "--vex", str(some), image.pushed))
    assert {package for _, package in left} == {"zlib1g"}
    accepted = decide(image, tmp_path, status="affected")
    assert ("CVE-2019-10906", "jinja2") in found_by_trivy(
        trivy(image.cache, "image", "--vex", str(accepted), image.pushed)
    )


def test_trivy_knows_a_copy_by_the_name_that_was_given_for_it(image: Pushed, tmp_path: Path) -> None:
    plain = decide(image, tmp_path)
    assert found_by_trivy(trivy(image.cache, "image", "--vex", str(plain), image.copied)) != set()
    named = decide(image, tmp_path, "pump", "of-the-clinic")
    assert found_by_trivy(trivy(image.cache, "image", "--vex", str(named), image.copied)) == set()
    assert found_by_trivy(trivy(image.cache, "image", "--vex", str(named), image.pushed)) == set()


def test_a_document_about_another_digest_changes_nothing(image: Pushed, tmp_path: Path) -> None:
    product = Product(digest="sha256:" + "0" * 64, names=("pump",))
    signed = SignedWaiver(waiver=WAIVER, digest=image.digest)
    other = write(
        openvex.write([(signed, image.findings)], product=product, author="pump", now=NOW), tmp_path
    )
    assert ("CVE-2019-10906", "jinja2") in found_by_trivy(
        trivy(image.cache, "image", "--vex", str(other), image.pushed)
    )


def test_trivy_reads_the_cyclonedx_document_for_the_sbom(image: Pushed, tmp_path: Path) -> None:
    bom = tmp_path / "bom.json"
    raw = subprocess.run(
        [
            real_trivy.program(), "image", "--quiet", "--format", "cyclonedx", "--skip-db-update",
            "--skip-version-check", "--disable-telemetry", "--cache-dir", str(image.cache),
            "--input", f"{image.folder / 'image'}@{image.digest}",
        ],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    bom.write_bytes(raw)
    listed = json.loads(raw)
    refs = {each["purl"]: each["bom-ref"] for each in listed["components"] if "purl" in each}
    signed = SignedWaiver(waiver=WAIVER, digest=image.digest)
    document = cyclonedx_export.write(
        [(signed, image.findings)], serial=listed["serialNumber"], refs=refs, author="pump", now=NOW
    )
    assert found_by_trivy(trivy(image.cache, "sbom", str(bom))) != set()
    assert (
        found_by_trivy(trivy(image.cache, "sbom", "--vex", str(write(document, tmp_path)), str(bom))) == set()
    )
