"""kubectl's error messages as errors that explain what happened, why, and what to do next."""

from __future__ import annotations

import re

from autoclave.errors import AutoclaveError, ClusterError, ConfigError

_LONGEST = 2000  # characters of kubectl's message


class Unreachable(ClusterError):
    """The API server does not answer."""


class Missing(ClusterError):
    """The cluster has no such object."""


class Conflict(ClusterError):
    """An object of that name exists, or was changed at the same time."""


_AWAY = re.compile(
    r"connection refused|was refused - did you specify|unable to connect to the server|i/o timeout"
    r"|TLS handshake timeout|connection reset|ServiceUnavailable|\bEOF\b|context deadline exceeded"
    r"|Client\.Timeout|etcdserver|no route to host|the server is currently unable",
    re.IGNORECASE,
)
_CONFLICT = re.compile(r'conflicts? with "([^"]+)".*?:((?:\s+-?\s*\.[^\n]+)+)')
_NOISE = re.compile(r"Warning:|[EWI]\d{4} \d\d:")  # what kubectl's own logging adds
_PATIENT = "check whether it runs: kubectl get --raw /readyz"

_KINDS: tuple[tuple[re.Pattern[str], type[AutoclaveError], str, str], ...] = (
    (
        re.compile(
            r"context .* does not exist|context was not found|no configuration has been provided"
            r"|invalid configuration|server localhost:8080 was refused"
        ),
        ConfigError,
        "kubectl does not know the cluster",
        "set KUBECONFIG, and environment.kubernetes.context to one of its contexts",
    ),
    (
        re.compile(r"\((?:AlreadyExists|Conflict)\)"),
        Conflict,
        "the object exists already, or was changed at the same time",
        "run the command again",
    ),
    (
        re.compile(r'namespaces "[^"]+" not found'),
        Missing,
        "the cluster has no such namespace",
        "ask its administrator for it: kubectl create namespace NAME",
    ),
    (re.compile(r"\(NotFound\)"), Missing, "the cluster lacks an object", ""),
    (
        re.compile(r"Unauthorized|must be logged in|x509:"),
        ClusterError,
        "the cluster rejects these credentials, or its certificate is not trusted",
        "renew the kubeconfig",
    ),
    (
        re.compile(r"\(Forbidden\)|is forbidden|denied"),
        ClusterError,
        "the cluster refuses this",
        "fix what it names; for missing rights, ask the cluster's administrator",
    ),
    (_AWAY, Unreachable, "the cluster's API server does not answer", _PATIENT),
)
"""The first match counts: a pattern of kubectl's message, the error, what happened, what to do next."""


def make_error(message: str) -> AutoclaveError:
    """Return the error for a message of kubectl's."""
    lines = "\n".join(line for line in message.splitlines() if not _NOISE.match(line))[-_LONGEST:]
    if "Apply failed with" in message and "conflict" in message:
        owners = [f"{owner} owns {' '.join(fields.split())}" for owner, fields in _CONFLICT.findall(message)]
        return ClusterError(
            "another manager owns fields that the manifests set",
            why="; ".join(owners) or lines,
            next="remove the field from the manifest, or have its owner give it up",
        )
    for pattern, kind, what, step in _KINDS:
        if pattern.search(message):
            return kind(what, why=lines, next=step)
    return ClusterError(
        "the cluster refuses this", why=lines or "kubectl printed nothing", next="fix what it names"
    )
