"""Hooks of MkDocs: pages outside of docs/ become pages of the site, and links between files work there.

The pages are written for whoever reads the repository, with links from file to file. On the site README.md
is the first page, an example's README is `examples/NAME`, another linked file is a text below `files/`.
"""

from __future__ import annotations

import posixpath
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NAMED = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
DECISIONS = "docs/adr"
_FENCE = re.compile(r"^(?P<fence> *```+)[^\n]*\n.*?^(?P=fence)$", re.M | re.S)
_LINK = re.compile(r"(?P<text>\]\()(?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?(?=\))")


def site_path(path: str) -> str:
    """Return where a file of the repository is on the site, as the name of its source."""
    if path in NAMED:
        return NAMED[path]
    if path == DECISIONS:
        return "adr/index.md"
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if not path.endswith(".md"):
        return f"files/{path}.txt"
    path = path.replace("/README.md", ".md")  # MkDocs would make an index of it
    return path if path.startswith("examples/") else f"files/{path}"


def targets(text: str, path: str) -> list[str]:
    """Return the files of the repository to which a page links, by their paths in it."""
    links = _LINK.finditer(_FENCE.sub("", text))
    return [_resolve(each["target"], path) for each in links if not _is_address(each["target"])]


def rewrite(text: str, path: str) -> str:
    """Return a page with its links as they are on the site. What is inside of a fence stays as it is."""
    done, parts = 0, []
    for fence in _FENCE.finditer(text):
        parts += [_rewrite_links(text[done : fence.start()], path), fence[0]]
        done = fence.end()
    return "".join([*parts, _rewrite_links(text[done:], path)])


def decisions(root: Path) -> str:
    """Return the page that lists the decisions, with their titles."""
    pages = sorted((root / DECISIONS).glob("0*.md"))
    titles = [(each.name, each.read_text("utf-8").partition("\n")[0].removeprefix("# ")) for each in pages]
    return "# Decisions\n\n" + "".join(f"- [{title.partition('. ')[2]}]({name})\n" for name, title in titles)


@cache
def pages(root: Path) -> dict[str, str]:
    """Return every page that is not in docs/ and is linked or in the navigation: its path and its text."""
    found: dict[str, str] = {}
    left = [*NAMED, *(each.relative_to(root).as_posix() for each in root.glob("examples/*/README.md"))]
    left += [link for page in root.glob("docs/**/*.md") for link in _linked_pages(page, root)]
    while left:
        path = left.pop()
        if path not in found and not path.startswith("docs/"):
            found[path] = (root / path).read_text("utf-8")
            left += _linked_pages(root / path, root)
    return found


@cache
def tracked(root: Path) -> frozenset[str]:
    """Return the files that git tracks: a link to another one, or out of the repository, publishes nothing.

    A checkout of a CI host has a token in .git/config.
    """
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=True)
    paths = listed.stdout.decode().split("\0")
    return frozenset(each for each in paths if each and (root / each).resolve() == root.resolve() / each)


def linked_files(root: Path) -> set[str]:
    """Return the files that are no pages, and to which a page links."""
    texts = {each.relative_to(root).as_posix(): each.read_text("utf-8") for each in root.glob("docs/**/*.md")}
    linked = {link for path, text in {**texts, **pages(root)}.items() for link in targets(text, path)}
    return {each for each in linked & tracked(root) if not each.startswith("docs/")} - set(pages(root))


def _linked_pages(page: Path, root: Path) -> list[str]:
    linked = targets(page.read_text("utf-8"), page.relative_to(root).as_posix())
    return [each for each in linked if each.endswith(".md") and each in tracked(root)]


def _rewrite_links(text: str, path: str) -> str:
    here = posixpath.dirname(site_path(path))

    def moved(link: re.Match[str]) -> str:
        if _is_address(link["target"]):
            return link[0]
        there = posixpath.relpath(site_path(_resolve(link["target"], path)), here or ".")
        return f"{link['text']}{there}{link['anchor'] or ''}"

    return _LINK.sub(moved, text)


def _resolve(target: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def _is_address(target: str) -> bool:
    return re.match(r"[a-z]+:", target) is not None


# --- what MkDocs calls ---


def on_files(files: Any, config: Any) -> Any:
    """Add the pages and files that are not in docs/."""
    from mkdocs.structure.files import File

    for path, text in pages(ROOT).items():
        files.append(File.generated(config, site_path(path), content=text))
    files.append(File.generated(config, "adr/index.md", content=decisions(ROOT)))
    for path in sorted(linked_files(ROOT)):
        files.append(File.generated(config, site_path(path), content=(ROOT / path).read_text("utf-8")))
    return files


def on_page_markdown(text: str, page: Any, config: Any, **_: Any) -> str:
    """Make a page's links those of the site."""
    sources = {site_path(path): path for path in pages(ROOT)}
    name = page.file.src_uri
    return rewrite(text, sources.get(name, f"docs/{name}"))
