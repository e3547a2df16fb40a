"""Claims are kept: what a change would do to a device's data is said before it is done."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoclave.targets.kubernetes.quantities import parse_quantity
from autoclave.targets.kubernetes.volumes import check_claims


def claim(name: str = "data", size: str = "1Gi", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"resources": {"requests": {"storage": size}}, **spec},
    }


def deployment(*claims: str, name: str = "gateway") -> dict[str, Any]:
    volumes = [
        {"name": f"v{n}", "persistentVolumeClaim": {"claimName": each}} for n, each in enumerate(claims)
    ]
    return {
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"volumes": volumes}}},
    }


def stateful(*templates: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "kind": "StatefulSet",
        "metadata": {"name": "database"},
        "spec": {"volumeClaimTemplates": list(templates), **spec},
    }


BOUND = {"storageClassName": "fast", "volumeName": "pv-1", "accessModes": ["ReadWriteOnce"]}

KEPT: list[tuple[list[Any], list[Any]]] = [
    ([], [claim(), deployment("data")]),
    ([claim(**BOUND)], [claim()]),
    ([claim(**BOUND)], [claim(storageClassName="fast", accessModes=["ReadWriteOnce"])]),
    ([claim(size="1Gi")], [claim(size="1024Mi")]),
    ([claim(size="1Gi")], [claim(size="2Gi")]),
    ([claim(), deployment("data")], [claim(), deployment("data")]),
    ([claim(), deployment("data")], [deployment("other", "data")]),
    ([stateful(claim())], [stateful(claim(size="1024Mi"))]),
    ([stateful(claim())], [stateful(claim(), persistentVolumeClaimRetentionPolicy={"whenScaled": "Retain"})]),
    ([deployment(name="stateless")], []),
    # What a Deployment made goes with it, and says nothing about claims.
    ([{**deployment("data"), "metadata": {"name": "rs", "ownerReferences": [{}]}}], []),
]


@pytest.mark.parametrize(("live", "wanted"), KEPT)
def test_a_change_that_keeps_every_claim_passes(live: list[Any], wanted: list[Any]) -> None:
    assert check_claims(live, wanted) == []


LOST: list[tuple[list[Any], list[Any], str]] = [
    ([claim()], [claim(size="512Mi")], "claim 'data' would shrink from 1Gi to 512Mi"),
    ([claim()], [claim(size="1G")], "claim 'data' would shrink from 1Gi to 1G"),
    ([claim()], [claim(size="lots")], "claim 'data': 'lots' is not a quantity"),
    ([claim(**BOUND)], [claim(storageClassName="slow")], "storageClassName fast → slow"),
    ([claim(**BOUND)], [claim(storageClassName="")], "claim 'data' would be bound again"),
    ([claim(**BOUND)], [claim(volumeName="pv-2")], "volumeName pv-1 → pv-2"),
    ([claim(**BOUND)], [claim(accessModes=["ReadWriteMany"])], "accessModes"),
    ([claim(volumeMode="Filesystem")], [claim(volumeMode="Block")], "volumeMode Filesystem → Block"),
    (
        [claim(), deployment("data")],
        [claim("new"), deployment("new")],
        "Deployment/gateway would no longer mount claim 'data' but 'new'",
    ),
    ([deployment("data")], [deployment()], "Deployment/gateway would no longer mount claim 'data'"),
    (
        [deployment("data")],
        [],
        "Deployment/gateway is missing from the manifests, and with it the use of claim 'data'",
    ),
    ([stateful(claim())], [], "StatefulSet/database is missing from the manifests"),
    ([stateful(claim())], [stateful()], "claim template 'data' is missing"),
    ([stateful(claim())], [stateful(claim("renamed"))], "claim template 'data' is missing"),
    (
        [stateful(claim())],
        [stateful(claim(size="1Mi"))],
        "claim template 'data' would shrink from 1Gi to 1Mi",
    ),
    ([stateful(claim())], [stateful(claim(size="2Gi"))], "claim template 'data' cannot grow"),
    (
        [],
        [stateful(claim(), persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"})],
        "StatefulSet/database would delete its claims 'data' when it is deleted",
    ),
    (
        [],
        [stateful(claim(), persistentVolumeClaimRetentionPolicy={"whenScaled": "Delete"})],
        "when it is scaled down",
    ),
    ([claim()], [{**claim(), "spec": "none"}], "cannot be read"),
    ([deployment("data")], [{**deployment("data"), "spec": ["x"]}], "cannot be read"),
]


@pytest.mark.parametrize(("live", "wanted", "says"), LOST)
def test_a_change_that_would_lose_data_is_refused_by_name(
    live: list[Any], wanted: list[Any], says: str
) -> None:
    reasons = check_claims(live, wanted)
    assert any(says in reason for reason in reasons), reasons


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1.", 1),
        (".5", Fraction(1, 2)),
        ("1.5Gi", 3 * 2**29),
        ("+1Ki", 1024),
        ("-1k", -1000),
        ("100m", Fraction(1, 10)),
        ("1u", Fraction(1, 10**6)),
        ("1n", Fraction(1, 10**9)),
        ("1M", 10**6),
        ("1G", 10**9),
        ("1E", 10**18),
        ("1Ei", 2**60),
        ("1e3", 1000),
        ("1E3", 1000),
        ("12e-1", Fraction(6, 5)),
    ],
)
def test_quantities_are_exact(text: str, value: object) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    "text", ["", ".", "1K", "1ki", "1 Gi", "Gi", "1e", "1ee3", "0x1", "1_0", "1Gi\n", "\u0661", "inf"]
)
def test_an_invalid_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)


@given(st.integers(0, 10**6), st.sampled_from([("Mi", "Ki", 1024), ("M", "k", 1000), ("G", "M", 1000)]))
def test_the_same_amount_in_another_unit_is_the_same(number: int, units: tuple[str, str, int]) -> None:
    large, small, factor = units
    assert parse_quantity(f"{number}{large}") == parse_quantity(f"{number * factor}{small}")
