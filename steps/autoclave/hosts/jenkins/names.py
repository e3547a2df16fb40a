"""Names in addresses and configurations of Jenkins: refused here unless they are harmless.

The rules for items are those of Jenkins itself (hudson.model.Jenkins.checkGoodName), and somewhat stricter:
what Jenkins trims, and invisible characters, are refused too.
"""

from __future__ import annotations

import re
import unicodedata

from autoclave.errors import UsageError

_UNSAFE = "?*/\\%!@#$^&|<>[]:;"
_LONGEST = 200  # characters; Jenkins names a folder on disk after it
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_LIBRARY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_VERSION = re.compile(r"(?!.*(\.\.|//|@\{))[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}")
_BRANCH = re.compile(r"(?!.*(\.\.|//|@\{))(\*/)?[A-Za-z0-9_][A-Za-z0-9_./+#-]{0,199}")
_REMOTE = re.compile(r"(https?|ssh|git|file)://[!-~]+|[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9.-]+:[!-~]+")
_CREDENTIALS = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_SCHEDULE = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly)|\S+( +\S+){4}")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SCHEDULE_SIGNS = re.compile(r"[-HA-Za-z0-9*/,()@ ]+")


def item(name: str) -> str:
    """Return the full name of an item (FOLDER/JOB), without slashes around it. Raises UsageError."""
    parts = name.strip("/").split("/")
    for part in parts:
        wrong = _find_problem(part)
        if wrong:
            raise UsageError(
                f"{part!r} is not a name of a Jenkins item", why=wrong, next="name it FOLDER/JOB"
            )
    return "/".join(parts)


def _find_problem(part: str) -> str:
    if not part or part != part.strip():
        return "it is empty, or has blanks around it"
    if part.endswith("."):
        return "it ends with a dot"
    if len(part) > _LONGEST:
        return f"it has more than {_LONGEST} characters"
    for each in part:
        if each in _UNSAFE:
            return f"Jenkins does not allow {each!r} in names"
        if unicodedata.category(each)[0] == "C":
            return f"it has an invisible character ({each!r})"
    return ""


def number(text: str) -> int:
    """Return the number of a build. Raises UsageError."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise UsageError(f"{text!r} is not the number of a build", next="take it from its address: 17")
    return int(text)


def parameter(text: str) -> tuple[str, str]:
    """Return name and value of NAME=VALUE. Raises UsageError; never quotes the value."""
    name, sign, value = text.partition("=")
    if not sign or not _VARIABLE.fullmatch(name):
        raise UsageError(
            f"{name[:100]!r} is not the name of a parameter" if sign else "a parameter has no value",
            why="a name has letters, digits and underscores, and does not begin with a digit",
            next="give NAME=VALUE",
        )
    if _NOT_IN_XML.search(value):
        raise UsageError(f"the value of {name} has a character that Jenkins cannot store", next="give text")
    return name, value


def remote(url: str) -> str:
    """Return the address of a git repository. Raises UsageError, also for one with a password in it."""
    if not _REMOTE.fullmatch(url) or re.match(r"[a-z]+://-", url):
        raise UsageError(
            "that is not the address of a git repository",
            why=f"{url[:100]!r} is neither https://…, ssh://… nor user@host:path",
            next="name it with --git-url, e.g. https://git.example.com/devices/pump.git",
        )
    if re.match(r"https?://[^/]*@", url):
        raise UsageError(
            "the address of the git repository has a user or password in it",
            why="everybody who may read the job's configuration could read it",
            next="store it in Jenkins and name its id with --git-credentials",
        )
    return url


def branch(name: str) -> str:
    """Return a branch as Jenkins's git plugin expects it (`main`, `*/main`). Raises UsageError."""
    return _require_match(_BRANCH, name, "the name of a branch", "--branch")


def script(path: str) -> str:
    """Return the path of a Jenkinsfile inside its repository. Raises UsageError."""
    parts = path.split("/")
    seen = all(unicodedata.category(each)[0] != "C" for each in path)
    if not path or path.startswith("-") or not seen or "\\" in path or {"", ".", ".."} & set(parts):
        raise UsageError(f"{path!r} is not the path of a file in the repository", next="e.g. ci/Jenkinsfile")
    return path


def credentials(text: str) -> str:
    """Return the id of credentials in Jenkins, or nothing. Raises UsageError."""
    return _require_match(_CREDENTIALS, text, "an id of credentials", "--git-credentials") if text else ""


def library(reference: str) -> tuple[str, str]:
    """Return name and version of NAME@VERSION; both are needed. Raises UsageError."""
    name, _, version = reference.partition("@")
    if not _LIBRARY.fullmatch(name) or not _VERSION.fullmatch(version):
        raise UsageError(
            f"{reference[:100]!r} is not a shared library with its version",
            why="a library without a version can change without a change of the device",
            next="name it NAME@VERSION, e.g. autoclave@v0.1.0",
        )
    return name, version


def schedule(text: str) -> str:
    """Return a schedule as Jenkins expects it (five fields, or @daily and the like). Raises UsageError."""
    if text and not (_SCHEDULE.fullmatch(text) and _SCHEDULE_SIGNS.fullmatch(text)):
        raise UsageError(f"{text[:100]!r} is not a schedule", next="e.g. 'H/5 * * * *' or '@daily'")
    return text


def _require_match(pattern: re.Pattern[str], text: str, what: str, flag: str) -> str:
    if not pattern.fullmatch(text) or text.endswith((".lock", "/", ".")):
        raise UsageError(f"{text[:100]!r} is not {what}", next=f"name it with {flag}")
    return text
