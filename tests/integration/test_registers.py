"""The SOUP register and the trust file on real records: drafted from an SBOM, compared with what is there."""

from __future__ import annotations

import tomllib
from pathlib import Path

from builders.devices import KNOWN_BAD
from builders.prepared_devices import prepare
from integration.people import make_organisation


def test_a_register_is_drafted_from_the_sbom_of_a_real_image(tmp_path: Path) -> None:
    with prepare(KNOWN_BAD / "control", tmp_path, to="scan") as control:
        register = control.folder / "soup.toml"
        register.write_text("soup = []\n")
        before = control.run("soup")
        assert before.code == 0, before.err
        components = int(before.err.split(" components, ")[0].split()[-1].replace(",", ""))
        assert components > 100
        assert "--write adds them to soup.toml" in before.err
        assert register.read_text() == "soup = []\n"

        done = control.run("soup", "--write")
        assert done.code == 0, done.err
        entries = tomllib.loads(register.read_text())["soup"]
        assert len(entries) <= components / 10
        debian = next(each for each in entries if each["component"] == "pkg:deb/debian/*")
        assert debian["manufacturer"] == "The Debian Project"
        assert debian["why"] == debian["reviewed-by"] == ""

        again = control.run("soup", "--write")
        assert f"{components:,} components, 0 without an entry in soup.toml" in again.err
        assert "Packages of Debian 12: 'why' is not filled in" in again.err
        assert tomllib.loads(register.read_text())["soup"] == entries


def test_a_trust_file_without_the_pipelines_key_says_which_records_it_excludes(tmp_path: Path) -> None:
    with prepare(KNOWN_BAD / "control", tmp_path, to="scan") as control:
        assert "records of the newest images count" in control.run("trust", "check").out
        people = make_organisation(tmp_path / "organisation")
        done = control.run("trust", "check", *people.trust)
        assert done.code == 60, done.err
        assert "✔ 0 records of the newest images count" in done.out
        for name in ("provenance", "test-result", "vulns", "sbom"):
            assert f"✘ app: the {name} record" in done.out
        assert "does not count: the record is signed by an unknown key" in done.out
        assert "no key may sign" not in done.out
        without = control.run("soup", *people.trust)
        assert without.code == 10
        assert "its sbom record does not count: the record is signed by an unknown key" in without.message
