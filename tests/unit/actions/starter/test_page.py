"""The page says of each shape what `init` finds there; AUTOCLAVE_WRITE_DOCS=1 writes the rows."""

from __future__ import annotations

import os

from autoclave.actions.starter.draft import Draft
from autoclave.actions.starter.parts import Part
from builders import shapes
from builders.starter import draft_of_shape, left_of
from pages import DOCS, Table

TABLE = Table(DOCS / "init.md", "| repository | found | a person adds |")


def describe(part: Part) -> str:
    """Return what was found about one image."""
    image = part.image
    said = [f"`{image.file.path}`"]
    said += [f"stage `{image.target}`"] if image.target else []
    said += [f"`{key}={value}`" for key, value in image.args.items()]
    said += [f"context `{image.context}`"] if image.context != "." else []
    said += [f"port {part.port}"] if part.port else []
    said += ["HEALTHCHECK"] if part.has_health else [f"health `{part.health}`"] if part.health else []
    said += [f"tests by {part.tests.tool}"] if part.tests else []
    said += [f"beside them `{each.image}`" for each in part.beside]
    return f"`{image.name}`: {', '.join(said)}"


def row(shape: str) -> str:
    """Return the row of a shape."""
    draft = draft_of_shape(shape)
    found = [f"version {draft.version}"] if draft.version_source else []
    found += [*map(describe, draft.parts[:3]), *more(draft)]
    found += [f"chart `{each}`" for each in draft.cluster.charts]
    cells = (shapes.SHAPES[shape][0], "<br>".join(found), "<br>".join(left_of(draft)))
    return "| " + " | ".join(each.replace("|", "\\|") for each in cells) + " |"


def more(draft: Draft) -> list[str]:
    """Return the names of the images that are not described."""
    return [", ".join(f"`{each.image.name}`" for each in draft.parts[3:])] if len(draft.parts) > 3 else []


def test_the_page_has_what_was_found_in_each_shape() -> None:
    found = {shapes.SHAPES[shape][0]: row(shape) for shape in shapes.names()}
    if os.environ.get("AUTOCLAVE_WRITE_DOCS"):
        TABLE.write(found, whole=True)
    assert TABLE.complaints(found, whole=True) == []
