"""Verify a built site: nothing is loaded from elsewhere, and each page shows what its Markdown says.

Usage: verify.py SITE. The site's Markdown is not quite that of the repository's host: a list without an
empty line before it, or code indented less than the list it is in, becomes plain text. So lists, tables and
blocks of code are counted on both sides, with CommonMark's reader on this one.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import hooks
from markdown_it import MarkdownIt

COUNTED = {
    "ul": "lists",
    "ol": "numbered lists",
    "li": "list items",
    "tr": "rows of tables",
    "pre": "blocks of code",
    "h2": "headings",
}
_LOADS = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("object", "data"),
}


class Page(HTMLParser):
    """What one page of the site has in its article, and what it loads from other hosts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.loaded: list[str] = []
        self._in_article = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count an element."""
        named = dict(attrs)
        self._in_article = self._in_article or tag == "article"
        if self._in_article and tag in COUNTED:
            self.counts[tag] += 1
        for name, value in named.items():
            outside = re.match(r"(?:[a-z]+:)?//", value or "")
            if (tag, name) in _LOADS and outside and named.get("rel") != "canonical":
                self.loaded.append(f"<{tag} {name}={value}>")

    def handle_endtag(self, tag: str) -> None:
        """Notice the end of the article."""
        self._in_article = self._in_article and tag != "article"


def expected(text: str) -> Counter[str]:
    """Return what CommonMark, with tables, makes of a page."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    counts = Counter(each.tag for each in tokens if each.nesting == 1 and each.tag in COUNTED)
    counts["pre"] += sum(each.type in {"fence", "code_block"} for each in tokens)
    return counts


def defects(root: Path, site: Path) -> list[str]:
    """Return what is wrong, a line each; the site's files are named."""
    found = []
    texts = {path: path.read_text("utf-8") for path in root.glob("docs/**/*.md")}
    texts |= {root / path: text for path, text in hooks.pages(root).items()}
    for source, text in sorted(texts.items()):
        name = source.relative_to(root).as_posix()
        page = site / hooks.site_path(name).removesuffix(".md")
        shown = Page(page.with_name(f"{page.name}.html").read_text("utf-8"))
        found += [f"{name}: loads {each}" for each in shown.loaded]
        counts = expected(text)
        found += [
            f"{name}: {counts[tag]} {what}, and {shown.counts[tag]} on the site"
            for tag, what in COUNTED.items()
            if counts[tag] != shown.counts[tag]
        ]
    for style in site.rglob("*.css"):
        found += [
            f"{style.name}: loads {each}"
            for each in re.findall(r"url\(['\"]?(?:https?:)?//[^)]*\)", style.read_text("utf-8"))
        ]
    return found


if __name__ == "__main__":
    wrong = defects(hooks.ROOT, Path(sys.argv[1]))
    if wrong:
        lines = "".join(f"  {each}\n" for each in wrong)
        way = "put an empty line before a list, and four blanks before code and paragraphs in it"
        sys.exit(f"error: the site does not show what its pages say\n{lines}  next: {way}")
