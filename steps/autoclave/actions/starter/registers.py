"""The lists of requirements and of SOUP, which classes B and C require: what is there, and beginnings."""

from __future__ import annotations

import posixpath
import re

from autoclave.actions.starter.repository import Repository, matches
from autoclave.device.requirements.rows import COLUMNS

REQUIREMENTS, SOUP = "requirements.csv", "soup.toml"
PATTERNS = ("*requirements*.csv", SOUP)

_HEADER = re.compile(rb"\A(?:\xef\xbb\xbf)?(?=[^\n]{0,500}\bid\b)(?=[^\n]{0,500}\btext\b)", re.IGNORECASE)

NEW_REQUIREMENTS = ",".join(COLUMNS) + "\n"
"""A list without requirements: the release gate says so until there are some."""

NEW_SOUP = """\
# The SOUP register (IEC 62304 8.1.2): every component of the images that somebody else made, and why it is
# here. 'autoclave soup' lists the components that lack an entry, once an image was scanned, as tables:
#
# [[soup]]
# title = "Debian GNU/Linux 12"
# component = "debian"               # or a pattern: "pkg:deb/debian/*"
# version = "12*"
# manufacturer = "The Debian Project"
# why = "operating system of the image"
# support-end = 2028-06-30
# anomalies = "https://security-tracker.debian.org"
# reviewed-by = "A. Quality"
# reviewed-on = 2026-01-31
"""


def find_requirements(repository: Repository) -> str:
    """Return the file or folder that requirements are in already; empty without one."""
    for path in repository.paths:
        name = posixpath.basename(path)
        if name == ".doorstop.yml" or path.endswith(".sdoc"):
            return _top(repository, path)
        if path.endswith(".reqif"):
            return path
        if matches(path, PATTERNS[:1]) and _HEADER.match(repository.contents.get(path, b"")):
            return path
    return ""


def find_soup(repository: Repository) -> str:
    """Return the register that is there already; empty without one."""
    return next((path for path in repository.paths if posixpath.basename(path) == SOUP), "")


def _top(repository: Repository, path: str) -> str:
    """Return the folder of documents, or the only file of them."""
    home = posixpath.dirname(path)
    if path.endswith(".sdoc"):
        same = [each for each in repository.paths if each.endswith(".sdoc")]
        return path if len(same) == 1 or not home else home.partition("/")[0]
    return home or "."
