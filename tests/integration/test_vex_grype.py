"""Grype acts on what `autoclave vex` writes: the image is scanned where a customer finds it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import real_grype
from builders.pushed_image import Pushed, decide, push


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushed]:
    with push(tmp_path_factory.mktemp("pushed")) as image:
        yield image


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_grype.build_database(tmp_path_factory.mktemp("grype"))


def grype(cache: Path, reference: str, *words: str) -> set[tuple[str, str]]:
    """Run Grype as a customer does; return id and package of what it reports."""
    settings = {
        "GRYPE_DB_CACHE_DIR": str(cache),
        "GRYPE_DB_AUTO_UPDATE": "false",
        "GRYPE_CHECK_FOR_APP_UPDATE": "false",
        "GRYPE_REGISTRY_INSECURE_USE_HTTP": "true",
    }
    argv = [real_grype.program(), f"registry:{reference}", "--quiet", "--output", "json", *words]
    done = subprocess.run(argv, env=os.environ | settings, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    matches = json.loads(done.stdout)["matches"]
    return {(each["vulnerability"]["id"], each["artifact"]["name"].lower()) for each in matches}


def test_grype_drops_what_was_decided_and_nothing_else(image: Pushed, tmp_path: Path, cache: Path) -> None:
    found = grype(cache, image.pushed)
    assert {package for _, package in found} == {"jinja2", "zlib1g"}
    everything = decide(image, tmp_path)
    assert grype(cache, image.pushed, "--vex", str(everything)) == set()
    some = decide(image, tmp_path, only="pkg:pypi")
    assert {name for _, name in grype(cache, image.pushed, "--vex", str(some))} == {"zlib1g"}
    accepted = decide(image, tmp_path, status="affected")
    assert grype(cache, image.pushed, "--vex", str(accepted)) == found


def test_grype_knows_a_copy_by_its_digest_alone(image: Pushed, tmp_path: Path, cache: Path) -> None:
    everything = decide(image, tmp_path)
    assert grype(cache, image.copied, "--vex", str(everything)) == set()
