"""What kubectl says when it fails, as errors that say what happened, why, and what to do next."""

from __future__ import annotations

import re

from autoclave.errors import AutoclaveError, ClusterError, ConfigError

_LONGEST = 2000  # characters of what kubectl said


class Unreachable(ClusterError):
    """The API server does not answer."""


class Missing(ClusterError):
    """The cluster has no such object."""


class Conflict(ClusterError):
    """An object of that name exists, or it was changed meanwhile."""


_AWAY = re.compile(
    r"connection refused|was refused - did you specify|unable to connect to the server|i/o timeout"
    r"|TLS handshake timeout|connection reset|ServiceUnavailable|\bEOF\b|context deadline exceeded"
    r"|Client\.Timeout|etcdserver|no route to host|the server is currently unable",
    re.IGNORECASE,
)
_CONFLICT = re.compile(r'conflicts? with "([^"]+)".*?:((?:\s+-?\s*\.[^\n]+)+)')
_NOISE = re.compile(r"Warning:|[EWI]\d{4} \d\d:")  # what kubectl's own logging adds
_PATIENT = "see whether it runs: kubectl get --raw /readyz"

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
        "the object exists already, or was changed meanwhile",
        "run it again",
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
        "the cluster does not accept who we are, or we not it",
        "renew the kubeconfig",
    ),
    (
        re.compile(r"\(Forbidden\)|is forbidden|denied"),
        ClusterError,
        "the cluster refuses this",
        "mend what it names; for missing rights ask the cluster's administrator",
    ),
    (_AWAY, Unreachable, "the cluster's API server does not answer", _PATIENT),
)
"""The first that fits: what kubectl says, the error, what it means, what to do next."""


def make_error(said: str) -> AutoclaveError:
    """Return the error for what kubectl said."""
    lines = "\n".join(line for line in said.splitlines() if not _NOISE.match(line))[-_LONGEST:]
    if "Apply failed with" in said and "conflict" in said:
        owners = [f"{owner} owns {' '.join(fields.split())}" for owner, fields in _CONFLICT.findall(said)]
        return ClusterError(
            "somebody else changed fields that the manifests set",
            why="; ".join(owners) or lines,
            next="leave the field out of the manifest, or let its owner give it up",
        )
    for pattern, kind, what, step in _KINDS:
        if pattern.search(said):
            return kind(what, why=lines, next=step)
    return ClusterError("the cluster refuses this", why=lines or "kubectl printed nothing", next="mend it")
