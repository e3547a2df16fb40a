"""Write versions.json, which the site's selector reads, and a first page that leads to the newest version.

Usage: versions.py FOLDER NEWEST. Every folder below FOLDER that has an index.html is a version.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path


def versions(folder: Path, newest: str) -> list[dict[str, object]]:
    """Return the versions as Material's selector reads them (the format of mike), the newest first."""
    names = {each.parent.name for each in folder.glob("*/index.html")} | {newest}
    ordered = sorted(names, key=lambda name: [int(each) for each in re.findall(r"\d+", name)], reverse=True)
    return [
        {"version": each, "title": each, "aliases": ["latest"] if each == newest else []} for each in ordered
    ]


if __name__ == "__main__":
    root, name = Path(sys.argv[1]), sys.argv[2]
    (root / "versions.json").write_text(json.dumps(versions(root, name)) + "\n", "utf-8")
    page = '<!doctype html><meta charset="utf-8"><title>Autoclave</title>'
    page += f'<meta http-equiv="refresh" content="0; url={name}/index.html">'
    (root / "index.html").write_text(f'{page}<a href="{name}/index.html">Autoclave {name}</a>\n', "utf-8")
