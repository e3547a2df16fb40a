"""`autoclave vex`: under which names the image is written."""

from __future__ import annotations

import pytest

from autoclave.cli.commands import vex
from autoclave.errors import UsageError
from autoclave.model.vex import Product

PRODUCT = Product(digest="sha256:" + "1" * 64, names=("app", "pump"))


@pytest.mark.parametrize(
    ("repositories", "names"),
    [
        ((), ("app", "pump")),
        (("clinic.example/mirror/Pump-2",), ("app", "pump", "pump-2")),
        (("clinic.example:5000/pump", "pump:1.0", "a/b@sha256:1"), ("app", "pump", "b")),
    ],
)
def test_the_image_has_the_last_part_of_each_repository_as_its_name(
    repositories: tuple[str, ...], names: tuple[str, ...]
) -> None:
    assert vex._name(PRODUCT, repositories).names == names


@pytest.mark.parametrize("repository", ["", "/", ":1", "clinic.example/:1"])
def test_a_repository_without_a_name_is_refused(repository: str) -> None:
    with pytest.raises(UsageError, match="has no name"):
        vex._name(PRODUCT, (repository,))
