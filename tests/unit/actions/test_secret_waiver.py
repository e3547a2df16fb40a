"""`autoclave waive` of a secret: about one file and its content, or refused with the way on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from autoclave.actions import waive
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.errors import DecisionError, UsageError
from autoclave.model.declared import Scope, Waiver
from autoclave.model.facts import Finding, Kind, Severity
from autoclave.runtime.options import Common
from builders.sample_facts import ADA

DEVICE = '[device]\nname = "pump"\nversion = "1"\nsafety-class = "A"\n[[image]]\nname = "app"\n'
SECRET = Finding(
    id="jwt-token",
    kind=Kind.SECRET,
    severity=Severity.MEDIUM,
    title="a token",
    target="/srv/openapi.yaml",
    fingerprint="sha256:" + "5" * 64,
)


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    (tmp_path / "autoclave.toml").write_text(DEVICE)
    return Context(Common(folder=str(tmp_path)), JsonScreen())


def make(ctx: Context, *found: Finding, **fields: Any) -> Waiver:
    expires = f"{ctx.now() + timedelta(days=30):%Y-%m-%d}"
    asked = waive.WaiverRequest(
        finding=SECRET.id, rationale="an example", expires=expires, risk_reference="RM-1", **fields
    )
    return waive.make_waiver(asked, found, ADA, ctx)


def test_the_waiver_names_the_file_and_its_content(ctx: Context) -> None:
    assert make(ctx, SECRET).scope == Scope(package=SECRET.target, fingerprint=SECRET.fingerprint)


def test_one_of_several_files_is_named(ctx: Context) -> None:
    other = replace(SECRET, target="/srv/other.yaml", fingerprint="sha256:" + "6" * 64)
    with pytest.raises(UsageError, match="jwt-token is in 2 files"):
        make(ctx, SECRET, other)
    assert make(ctx, SECRET, other, package=other.target).scope.fingerprint == other.fingerprint
    with pytest.raises(UsageError, match="is in 0 files of that name"):
        make(ctx, SECRET, other, package="/srv")


def test_a_secret_in_the_configuration_is_refused(ctx: Context) -> None:
    with pytest.raises(DecisionError, match="cannot be waived"):
        make(ctx, replace(SECRET, target="image configuration", fingerprint=""))
