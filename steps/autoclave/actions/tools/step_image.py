"""A tool out of our step image, which was built, scanned and signed: copied out of a container of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from autoclave.actions.tools.release_file import find_platform
from autoclave.actions.tools.sources import Unavailable
from autoclave.engines.base import ContainerSpec, Engine
from autoclave.errors import EngineError, SourceError
from autoclave.harness.archive import single_file

_BY_DIGEST = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}@)?sha256:[0-9a-f]{64}")
_FOLDER = "/usr/local/bin"
_LARGEST = 512 << 20  # bytes of a program


def get(name: str, image: str, connect: Callable[[], Engine], path: Path) -> str:
    """Write a program of an image to a path, and return where it came from. Raises Unavailable, EngineError.

    The image is named by digest: what a tag refers to is anybody's who may push it.
    """
    if not image:
        raise Unavailable("none is named (--step-image NAME@sha256:…)")
    if not _BY_DIGEST.fullmatch(image):
        raise Unavailable(f"'{image}' does not name it by digest", next="--step-image NAME@sha256:…")
    engine = connect()
    if engine.image(image) is None:
        engine.pull(image, lambda _: None)
    found = engine.image(image)
    if found is None:
        raise Unavailable(f"the engine does not have {image}")
    here = find_platform().replace("-", "/")
    if found.platform and not found.platform.startswith(here):
        raise Unavailable(f"its programs are for {found.platform}, and this machine is {here}")
    container = engine.create(ContainerSpec(image=found.id, command=("true",)))
    try:
        archive = engine.get(container, f"{_FOLDER}/{name}")
        if archive is None:
            raise Unavailable(f"it has no {_FOLDER}/{name}")
        with path.open("xb") as out:
            for chunk in single_file(archive, limit=_LARGEST):
                out.write(chunk)
    except SourceError as error:
        raise Unavailable(error.what, why=error.why) from error
    finally:
        with suppress(EngineError):
            engine.remove(container)
    return f"step image {image}"
