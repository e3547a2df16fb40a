"""Production takes an organisation's keys alone, and no release that was scanned with a partial database."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import real_trivy
from builders.devices import KNOWN_BAD, Repository
from builders.flow import device, make_keys
from builders.prepared_devices import prepare
from integration.known_bad import assert_stopped

PRODUCTION = '\n[[environment]]\nname = "production"\nproduction = true\n'


def with_production(repository: Repository) -> None:
    """Give the device an environment on this machine that it declares to be production."""
    with (repository.folder / "autoclave.toml").open("a", encoding="utf-8") as file:
        file.write(PRODUCTION)


def with_demo(repository: Repository) -> None:
    """Call the device's environment demo."""
    repository.edit("autoclave.toml", 'name = "staging"', 'name = "demo"')


def test_production_refuses_development_keys(tmp_path: Path) -> None:
    with prepare(KNOWN_BAD / "control", tmp_path, to="sign", change=with_production) as repository:
        assert repository.run("run").code == 0
        refused = repository.run("deploy", "production")
        assert refused.code == 25, refused.err
        assert refused.step == "deploy"
        assert "signed by a development key" in refused.message
        assert "no trusted release key signed the image" in refused.message
        (staging,) = repository.containers()
        assert staging.name.startswith(f"autoclave_{repository.name}_staging_")


@pytest.mark.xdist_group("control")
def test_another_name_makes_no_place_harmless(tmp_path: Path) -> None:
    """The organisation exempts its lab: this machine is none of it, whatever the device file calls it."""
    policy = tmp_path / "organisation.toml"
    policy.write_text('[production]\nexempt = ["engine tcp://lab-1.example:2376"]\n', "utf-8")
    with prepare(KNOWN_BAD / "control", tmp_path, to="scan", change=with_demo) as repository:
        assert repository.run("sign").code == 0
        planned = repository.run("plan", "--environment", "demo", "--policy", str(policy))
        assert "demo: production, because engine unix://" in planned.out, planned.err
        done = repository.run("deploy", "demo", "--policy", str(policy))
        says = "signed by a development key"
        assert_stopped("place of production called demo", repository, done, step="deploy", code=25, says=says)
        assert repository.containers() == []
        assert repository.run("deploy", "demo").code == 0


def test_production_refuses_a_partial_database(tmp_path: Path) -> None:
    with device(KNOWN_BAD / "control", tmp_path, name="t-org-keys") as repository:
        options = make_keys(tmp_path / "organisation")
        with (repository.folder / "autoclave.toml").open("a", encoding="utf-8") as file:
            file.write(PRODUCTION)
        repository.commit()
        # Zeros behind it make a database large, and not complete.
        repository.more["AUTOCLAVE_SCANNER_CACHE"] = real_trivy.pad_cache(tmp_path / "padded")
        done = repository.run("run", *options)
        assert done.code == 0, done.err
        # The organisation's keys are good enough for production: the database is all that is left.
        refused = repository.run("deploy", "production", *options[:4])
        assert refused.code == 25, refused.err
        assert "the scan used a partial advisory database (it describes " in refused.message
        assert "key" not in refused.message
        assert len(repository.containers()) == 1
        # With other trusted keys nothing of it counts, in staging either.
        strangers = make_keys(tmp_path / "strangers")
        refused = repository.run("deploy", "staging", "--again", *strangers[:4])
        assert refused.code == 25, refused.err
        assert "no trusted release key signed the image" in refused.message
