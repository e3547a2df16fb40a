"""Links of a tree: whatever the file system resolves to a place outside, is refused."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from autoclave.device.source.links import explain_escape

NAMES = st.sampled_from(["a", "b", "c", "folder/a", "folder/b", "folder/deep/a"])
TARGETS = st.lists(
    st.sampled_from(["a", "b", "c", "folder", "deep", "..", ".", "", "no"]), min_size=1, max_size=6
)


@given(st.dictionaries(NAMES, TARGETS.map("/".join), min_size=1, max_size=6))
def test_what_leads_out_is_refused(links: dict[str, str]) -> None:
    known = {os.fsencode(path): os.fsencode(target) for path, target in links.items()}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve() / "x" / "root"
        (root / "folder" / "deep").mkdir(parents=True)
        for path, target in links.items():
            if target and not target.startswith("/"):
                (root / path).symlink_to(target)
        for path in links:
            escapes = not os.path.realpath(root / path).startswith(f"{root}")
            assert not escapes or explain_escape(os.fsencode(path), known), (path, links)
            if not (root / path).exists():
                continue
            inside = not any(target[:1] == "/" or not target for target in links.values())
            assert escapes or not inside or not explain_escape(os.fsencode(path), known), (path, links)
