"""What kubectl 1.34 really said when it failed, as errors that a person can act on."""

from __future__ import annotations

import pytest

from autoclave.errors import ClusterError, ConfigError
from autoclave.targets.kubernetes.kubectl_errors import Conflict, Missing, Unreachable, make_error

CONFLICT = """\
error: Apply failed with 1 conflict: conflict with "kubectl-create" using v1: .data.a
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
"""
AWAY = """\
E1124 17:00:28.620362   28236 memcache.go:265] "Unhandled Error" err="couldn't get API group list"
The connection to the server 10.1.2.3:6443 was refused - did you specify the right host or port?
"""


@pytest.mark.parametrize(
    ("said", "kind", "what", "why"),
    [
        (AWAY, Unreachable, "does not answer", "10.1.2.3:6443 was refused"),
        (AWAY.replace("10.1.2.3:6443", "localhost:8080"), ConfigError, "does not know the cluster", ""),
        (
            "Error in configuration: context was not found for specified context: nope",
            ConfigError,
            "does not know the cluster",
            "nope",
        ),
        (
            'Error from server (NotFound): leases.coordination.k8s.io "none" not found',
            Missing,
            "lacks an object",
            "none",
        ),
        (
            'Error from server (NotFound): error when creating "STDIN": namespaces "none-such" not found',
            Missing,
            "no such namespace",
            "none-such",
        ),
        (
            'Error from server (AlreadyExists): error when creating "STDIN": leases "lock" already exists',
            Conflict,
            "exists already",
            "lock",
        ),
        (
            'Error from server (Forbidden): pods "a" is forbidden: User "x" cannot get resource "pods"',
            ClusterError,
            "refuses this",
            'User "x" cannot get',
        ),
        (
            "error: You must be logged in to the server (Unauthorized)",
            ClusterError,
            "rejects these credentials",
            "logged in",
        ),
        (CONFLICT, ClusterError, "another manager owns fields", "kubectl-create owns .data.a"),
        ("", ClusterError, "refuses this", "printed nothing"),
    ],
)
def test_each_failure_says_what_and_why(said: str, kind: type, what: str, why: str) -> None:
    error = make_error(said)
    assert type(error) is kind
    assert what in error.what
    assert why in error.why
    assert "memcache.go" not in error.why


def test_conflicts_of_several_owners_are_all_named() -> None:
    said = (
        'error: Apply failed with 3 conflicts: conflicts with "kubectl" with subresource "scale" '
        "using apps/v1:\n"
        "- .spec.replicas\n"
        '- .spec.template.spec.containers[name="app"].image\n'
        'conflicts with "helm" using apps/v1:\n'
        "- .spec.paused\n"
    )
    assert "kubectl owns - .spec.replicas" in make_error(said).why
    assert "helm owns - .spec.paused" in make_error(said).why
