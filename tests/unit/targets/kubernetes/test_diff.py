"""The difference that a person reads before anything is applied."""

from __future__ import annotations

from typing import Any

from autoclave.targets.kubernetes.diff import describe


def deployment(image: str, replicas: int = 3, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "gateway", "labels": {"app.kubernetes.io/name": "gateway"}, **metadata},
        "spec": {
            "replicas": replicas,
            "template": {
                "spec": {"containers": [{"name": "log", "image": "l"}, {"name": "app", "image": image}]}
            },
        },
    }


OLD, NEW = "r.example/d@sha256:" + "a" * 64, "r.example/d@sha256:" + "b" * 64


def test_changed_fields_are_shown_with_both_values() -> None:
    assert describe([deployment(OLD)], [deployment(NEW, 2)]) == [
        "~ Deployment/gateway",
        "    spec.replicas: 3 → 2",
        "    spec.template.spec.containers[app].image: d@sha256:aaaaaaaaaaaa… → d@sha256:bbbbbbbbbbbb…",
    ]


def test_fields_that_the_server_adds_are_not_a_difference() -> None:
    live = deployment(OLD, uid="1", resourceVersion="5", generation=3, managedFields=[{"manager": "x"}])
    live["status"] = {"replicas": 3}
    assert describe([live], [deployment(OLD)]) == ["= 1 unchanged"]


def test_new_objects_are_shown_with_their_images() -> None:
    assert describe([], [deployment(NEW)]) == ["+ Deployment/gateway  created, l, d@sha256:bbbbbbbbbbbb…"]


def test_the_values_of_secrets_are_not_shown() -> None:
    secrets = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"password": value}}
        for value in ("b2xk", "bmV3")
    ]
    assert describe(secrets[:1], secrets[1:]) == ["~ Secret/s", "    data.password: changed (not shown)"]
    assert not any("bmV3" in line for line in describe([], secrets[1:]))


def test_a_long_difference_is_cut() -> None:
    after = deployment(OLD)
    after["metadata"]["labels"] = {f"label-{number}": "x" for number in range(100)}
    lines = describe([deployment(OLD)], [after])
    assert len(lines) == 61
    assert lines[-1].startswith("… and ")
