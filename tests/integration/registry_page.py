"""docs/registry.md: what the store does with a registry, and what it answered when the registry failed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "registry.md"

_HEAD = """\
# Records in a registry

With `--store oci://HOST[:PORT]/REPOSITORY` images and their records live in one repository of an OCI
registry. The connection is encrypted, except to a registry on this machine (`127.0.0.1`, `localhost`,
`[::1]`) and with `oci+http://`. Content goes through a cache, an OCI layout in `.autoclave/registry`:
everything that is read is compared with its digest, and what the cache lost or damaged is fetched again.

Credentials are those of `docker login` (`$DOCKER_CONFIG` or `~/.docker/config.json`, with credential
helpers) and `podman login`, else `CI_REGISTRY`, `CI_REGISTRY_USER` and `CI_REGISTRY_PASSWORD`. They are sent
to the registry and to its token server, never to where those redirect. Certificates are judged by
`REQUESTS_CA_BUNDLE` or `SSL_CERT_FILE` when one is set.

## How records are found

| registry | run for real by the tests | records are listed by |
| --- | --- | --- |
| with the referrers API of OCI 1.1 | go-containerregistry's | the API |
| without it | Debian's `docker-registry` 2.8 | a tag for each; the index `sha256-<hex>` is for other tools |
| GitLab's | no: a proxy before Debian's behaves like it | a tag for each |

A record's own tag is `sha256-<image>.<first 40 digits of the record>`. Tags are only added, so writers that
know nothing of each other lose nothing: twenty at once, as threads and as processes, is a test. The index
that the specification foresees can lose entries when two write it at once, so nothing here relies on it,
and every writer puts back what is missing. GitLab's registry takes `sha256-<hex>` for the image itself
([oras-go issue 1396](https://github.com/oras-project/oras-go/issues/1396)): there it is not written.
A registry's cleanup rules must keep the tags `sha256-…`.

## When the registry fails

Every row was run against Debian's registry with a password, through a proxy that makes the fault
(`tests/integration/test_registry_faults.py`). In none of them did the password appear in a message. Requests
are those of the kind that failed. This page is written by that run (`AUTOCLAVE_WRITE_DOCS=1`); a run that
answers anything else fails.

| what happens | requests | ends | it says |
| --- | --- | --- | --- |
"""


@dataclass
class Row:
    """One fault as it ended; an empty message means that all went well."""

    case: str
    requests: int
    message: str


def page(rows: list[Row]) -> str:
    """Return the page."""
    return _HEAD + "\n".join(map(line, rows)) + "\n"


def line(row: Row) -> str:
    """Return one row of the table, without what differs from run to run."""
    text = row.message
    for pattern, instead in (
        (r"http://127\.0\.0\.1:\d+", "http://…"),
        (r"127\.0\.0\.1:\d+", "…"),
        (r"sha256([:-])[0-9a-f]{64}", r"sha256\1…"),
        (r"uploads/[0-9a-f-]{36}", "uploads/…"),
    ):
        text = re.sub(pattern, instead, text)
    text = text.replace("|", "\\|").replace("\n", "<br>")
    return f"| {row.case} | {row.requests} | {'refused' if row.message else 'well'} | {text} |"
