"""`autoclave policy init`: a file that loads as it is, and with everything in it switched on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autoclave.cli.main import main
from autoclave.device.schema import Device
from autoclave.errors import PolicyLoosened
from autoclave.policy.load import effective_policy, read_profile
from autoclave.runtime.toml import convert


def device(safety_class: str, name: str = "pump") -> Device:
    identity = {"name": name, "version": "1", "safety-class": safety_class}
    return convert({"device": identity, "image": [{"name": "app"}]}, Device, source="autoclave.toml")


@pytest.mark.parametrize("safety_class", ["A", "B", "C"])
def test_it_changes_nothing_until_it_is_edited(tmp_path: Path, safety_class: str) -> None:
    file = tmp_path / "organisation" / "policy.toml"
    assert main(["policy", "init", "-o", str(file)]) == 0
    pump = device(safety_class)
    assert effective_policy(pump, str(file)) == read_profile(pump.device.safety_class)


def test_everything_that_it_shows_can_be_switched_on(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    assert main(["policy", "init", "-o", str(file)]) == 0
    shown = re.sub(r'^( *)# (?=\[|"|[a-z-]+ = )', r"\1", file.read_text(), flags=re.M)
    file.write_text(shown)
    policy = effective_policy(device("C"), str(file))
    assert "cluster https://lab.example:6443 staging-*" in policy.production.exempt
    assert policy.approvals.production["regulatory"] == 1
    assert policy.release.timestamp
    with pytest.raises(PolicyLoosened, match="requires C"):
        effective_policy(device("B", "infusion-pump"), str(file))
    with pytest.raises(PolicyLoosened, match="requires C"):
        effective_policy(device("B"), str(file))


def test_nothing_is_overwritten_and_no_link_is_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, link, target = tmp_path / "policy.toml", tmp_path / "link.toml", tmp_path / "target"
    file.write_text("mine")
    link.symlink_to(target)
    for name in (file, link):
        assert main(["policy", "init", "-o", str(name)]) == 10
        assert "exists already" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert not target.exists()
    assert main(["policy", "init", "-o", str(file / "below.toml")]) == 10


def test_it_is_not_written_into_a_device_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "autoclave.toml").write_text("")
    (tmp_path / "ci").mkdir()
    assert main(["policy", "init", "-o", str(tmp_path / "ci" / "policy.toml")]) == 10
    assert "would be in the device repository" in capsys.readouterr().err
    assert not (tmp_path / "ci" / "policy.toml").exists()
