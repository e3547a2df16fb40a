"""Credentials for a registry, from where Docker, Podman and GitLab CI store them. They are never written.

Source: docker/cli, cli/config/configfile and cli/config/credentials; containers-auth.json(5);
docker/docker-credential-helpers (README: `get`); GitLab, predefined CI/CD variables.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from autoclave.errors import StoreError, ToolError

if TYPE_CHECKING:  # starting processes is slow to import, and few need a credential helper
    from autoclave.runtime.shell import Shell
from autoclave.runtime.surroundings import docker_folder

_HELPER = re.compile(r"[A-Za-z0-9._-]+")
_HUB = "https://index.docker.io/v1/"
_HUB_NAMES = {"docker.io", "index.docker.io", "registry-1.docker.io"}
_TOKEN_USER = "<token>"  # noqa: S105 -- what helpers print as the user of an identity token
_LARGEST = 1024 * 1024
_TIMEOUT = 30.0


class Credentials(Struct, frozen=True, kw_only=True):
    """A user and a password, or an identity token. `source` is where they were found."""

    user: str = ""
    password: str = ""
    identity_token: str = ""
    source: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r}, source={self.source!r})"


class _Entry(Struct, rename="lower"):
    """An entry; programs write null for what there is not."""

    auth: str | None = None
    username: str | None = None
    password: str | None = None
    identityToken: str | None = None  # noqa: N815


class _Config(Struct, rename="camel"):
    auths: dict[str, _Entry | None] | None = None
    cred_helpers: dict[str, str | None] | None = None
    creds_store: str | None = None


class _FromHelper(Struct, rename="pascal"):
    username: str = ""
    secret: str = ""


def find_credentials(place: str, shell: Shell) -> Credentials | None:
    """Find the credentials for `HOST[:PORT]` or `HOST[:PORT]/REPOSITORY`; secrets are masked from then on.

    None when there are none. As with Podman, a key of `auths` may name a part of the repository's path: the
    longest one is taken, before the host's. Raises StoreError when a file that could have them is invalid,
    and ToolError when a helper is missing.
    """
    for path in _files():
        if (config := _read(path)) and (found := _find_in(config, place, path, shell)):
            return _mask(found, shell)
    found = _read_ci_variables(place.partition("/")[0])
    return _mask(found, shell) if found else None


def _mask(found: Credentials, shell: Shell) -> Credentials:
    shell.mask.add([found.password, found.identity_token])
    return found


def _files() -> Iterator[Path]:
    yield docker_folder() / "config.json"
    if given := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(given)
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"


def _read(path: Path) -> _Config | None:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _make_error(path, error.strerror or "it cannot be read") from error
    if len(raw) > _LARGEST:
        raise _make_error(path, f"it has more than {_LARGEST} bytes")
    try:
        return msgspec.json.decode(raw, type=_Config)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # The decoder's message may quote the content.
        raise _make_error(path, "it is not the JSON that Docker writes") from None


def _find_in(config: _Config, place: str, path: Path, shell: Shell) -> Credentials | None:
    host, _, repository = place.partition("/")
    names, auths, helpers = _names(host), config.auths or {}, config.cred_helpers or {}
    if repository and (found := _from_path(auths, host, repository, path)):
        return found
    helper = next((named for name in names if (named := helpers.get(name))), "")
    if helper := helper or config.creds_store or "":
        found = _from_helper(helper, names[0], path, shell)
        if found:
            return found
    for name, entry in auths.items():
        if entry and not _path_of(name) and _bare(name) in map(_bare, names):
            found = _from_entry(entry, path)
            if found:
                return found
    return None


def _from_path(
    auths: Mapping[str, _Entry | None], host: str, repository: str, path: Path
) -> Credentials | None:
    """Return the credentials of the longest part of a repository's path that has some."""
    parts = repository.split("/")
    for count in range(len(parts), 0, -1):
        wanted = "/".join(parts[:count])
        for name, entry in auths.items():
            is_it = _path_of(name) == wanted and _bare(name) in map(_bare, _names(host))
            if entry and is_it and (found := _from_entry(entry, path)):
                return found
    return None


def _names(host: str) -> list[str]:
    return [_HUB, *sorted(_HUB_NAMES)] if host in _HUB_NAMES else [host, f"https://{host}", f"http://{host}"]


def _path_of(name: str) -> str:
    """Return the path in a key of `auths`; none in a URL, or in what Docker wrote for versions of the API."""
    rest = "" if name.startswith(("http://", "https://")) else name.partition("/")[2].strip("/")
    return "" if rest in {"v1", "v2"} else rest


def _bare(name: str) -> str:
    """Return the host of a key of `auths`, which old versions of Docker wrote as a URL."""
    return re.sub(r"^https?://", "", name).split("/", 1)[0].lower()


def _from_entry(entry: _Entry, path: Path) -> Credentials | None:
    user, password = entry.username or "", entry.password or ""
    if entry.auth:
        try:
            user, _, password = base64.b64decode(entry.auth, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise _make_error(path, "an 'auth' in it is not base64") from None
        password = password.strip("\0")  # as Docker does
    if not password and not entry.identityToken:
        return None
    return Credentials(
        user=user, password=password, identity_token=entry.identityToken or "", source=str(path)
    )


def _from_helper(name: str, host: str, path: Path, shell: Shell) -> Credentials | None:
    if not _HELPER.fullmatch(name):
        raise _make_error(path, f"{name[:100]!r} cannot be the name of a credential helper")
    program = f"docker-credential-{name}"
    # The host goes to standard input: the configuration cannot make an option of it.
    done = shell.run([program, "get"], stdin=host.encode(), timeout=_TIMEOUT, ok=range(256))
    said = done.out.decode("utf-8", "replace").strip()
    if done.code:
        if "credentials not found" in said + done.err.decode("utf-8", "replace"):
            return None
        raise ToolError(
            f"{program} ended with exit code {done.code}",
            why="it was run for the credentials of " + host,
            next=f"run it by hand: echo {host} | {program} get",
        )
    try:
        found = msgspec.json.decode(done.out, type=_FromHelper)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ToolError(
            f"{program} printed no credentials", why="its output is not the JSON of a credential helper"
        ) from None
    if not found.secret:
        return None
    if found.username == _TOKEN_USER:
        return Credentials(identity_token=found.secret, source=program)
    return Credentials(user=found.username, password=found.secret, source=program)


def _read_ci_variables(host: str) -> Credentials | None:
    registry, user, password = (os.environ.get(f"CI_REGISTRY{end}", "") for end in ("", "_USER", "_PASSWORD"))
    if not (registry and user and password) or _bare(registry) != host:
        return None
    return Credentials(user=user, password=password, source="CI_REGISTRY_USER and CI_REGISTRY_PASSWORD")


def _make_error(path: Path, why: str) -> StoreError:
    return StoreError(
        f"{path} cannot be used", why=why, next="fix it, or remove it and log in again with 'docker login'"
    )
