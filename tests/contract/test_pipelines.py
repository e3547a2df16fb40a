"""The GitLab templates are written from the steps' options, so that the two cannot differ."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_templates_are_what_the_options_say() -> None:
    made = runpy.run_path(str(ROOT / "pipelines" / "make_gitlab.py"))
    pages = made["pages"]()
    assert set(made["FOLDER"].iterdir()) == set(pages)
    for path, text in pages.items():
        assert path.read_text("utf-8") == text, f"run python pipelines/make_gitlab.py: {path.name} differs"
