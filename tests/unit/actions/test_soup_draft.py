"""A thousand components become a register that one person can review, and its judgement stays a person's."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from autoclave.actions import soup_draft
from autoclave.actions.soup_groups import group
from autoclave.actions.soup_origins import ORIGINS
from autoclave.device import soup_register
from autoclave.errors import ConfigError, SourceError
from autoclave.gates.soup import judge, match_components
from autoclave.model import purl
from autoclave.model.declared import Component, SoupEntry
from builders.sample_facts import ENTRY, NOW, POLICY

# The packages of a Debian 12, of npm and of a Go program, as an image of a large application has them.
RECORDED = Path(__file__).parents[2] / "fixtures" / "soup" / "components.tsv"


def component(text: str, supplier: str = "", licence: str = "") -> Component:
    found = purl.parse(text)
    assert found
    return Component(
        name="/".join(filter(None, (found.namespace, found.name))),
        version=found.version or "",
        purl=text,
        supplier=supplier,
        license=licence,
        distro=purl.qualifier_of(text, "distro"),
    )


def recorded() -> Iterator[Component]:
    yield Component(name="debian", version="12.5", kind="operating-system")
    for line in RECORDED.read_text("utf-8").splitlines():
        yield component(*line.split("\t"))


ALL = tuple(recorded())


def write(components: tuple[Component, ...], folder: Path, *, named: bool) -> tuple[SoupEntry, ...]:
    lacking = match_components(components, ())
    text = soup_draft.append("", soup_draft.draft(lacking, named=named))
    soup_register.append(folder, "soup.toml", lambda _: text)
    return soup_register.read(folder, "soup.toml")


@pytest.mark.parametrize(("named", "most"), [(False, 30), (True, 70)])
def test_a_thousand_components_become_entries_that_match_each_of_them(
    tmp_path: Path, named: bool, most: int
) -> None:
    assert len(ALL) > 1200
    entries = write(ALL, tmp_path, named=named)
    assert len(entries) <= most
    assert all(each.entry for each in match_components(ALL, entries))
    assert all(not each.why and not each.reviewed_by and each.reviewed_on is None for each in entries)


@pytest.mark.parametrize("safety_class", ["B", "C"])
def test_the_gate_stays_closed_until_a_person_has_filled_it_in(tmp_path: Path, safety_class: str) -> None:
    policy = POLICY[safety_class].soup
    entries = write(ALL, tmp_path, named=policy.versions)
    assert len(judge(ALL, entries, policy, NOW.date())) == len(entries)
    reviewed = [
        replace(
            each,
            manufacturer=each.manufacturer or "their authors",
            why="used",
            anomalies=each.anomalies or "read",
            reviewed_by="Ada",
            reviewed_on=NOW.date(),
        )
        for each in entries
    ]
    assert judge(ALL, reviewed, policy, NOW.date()) == ()


def test_what_packages_and_the_table_say_is_filled_in(tmp_path: Path) -> None:
    entries = {each.component: each for each in write(ALL, tmp_path, named=False)}
    debian = entries["pkg:deb/debian/*"]
    assert (debian.manufacturer, debian.version) == ("The Debian Project", "debian-12*")
    assert debian.anomalies == "https://security-tracker.debian.org"
    assert entries["pkg:npm/%40angular/*"].manufacturer == "Google"
    text = (tmp_path / "soup.toml").read_text()
    assert "# 762 components: debian/adduser 3.134, " in text
    assert "home page: https://www.debian.org" in text
    other = component("pkg:nuget/fo-dicom@5.1.2", "Fellow Oak", "MS-PL")
    (entry,) = soup_draft.draft(match_components([other], ()), named=False)
    assert 'manufacturer = "Fellow Oak"' in entry
    assert "# licences, as the packages say: MS-PL 1" in entry


def test_few_packages_of_a_registry_have_an_entry_each_with_their_version() -> None:
    few = [component(f"pkg:pypi/p{number}@1.{number}") for number in range(12)]
    assert [(each.component, each.version) for each in group(few, named=True)][:1] == [("pkg:pypi/p0", "1.0")]
    assert len(group(few, named=False)) == 12
    many = [*few, component("pkg:pypi/p12@2.0"), component("pkg:pypi/p13@v3")]
    assert [each.version for each in group(many, named=False)] == ["*"]
    assert [each.version for each in group(many, named=True)] == ["1.*", "2.*", "v3"]


@pytest.mark.parametrize(
    ("distro", "version"),
    [
        ("debian-12.5", "debian-12*"),
        ("ubuntu-24.04", "ubuntu-24.04*"),
        ("alpine-3.20.1", "alpine-3.20*"),
        ("redhat-9.4", "redhat-9.4*"),
        ("wolfi", "wolfi*"),
    ],
)
def test_a_distribution_is_named_without_its_point_release(distro: str, version: str) -> None:
    kind = "apk/alpine" if distro.startswith("alpine") else "deb/debian"
    (found,) = group([component(f"pkg:{kind}/curl@1?distro={distro}")], named=True)
    assert found.version == version


def test_a_new_version_gets_an_entry_of_its_own_without_the_old_review() -> None:
    register = [replace(ENTRY, why="renders reports", reviewed_by="Ada")]
    changed = component("pkg:pypi/jinja2@4.0.0")
    (match,) = match_components([changed], register)
    assert match.changed
    (text,) = soup_draft.draft([match], named=True)
    (entry,) = tomllib.loads(text)["soup"]
    assert (entry["component"], entry["version"]) == ("pkg:pypi/jinja2", "4.0.0")
    assert entry["why"] == "renders reports"
    assert entry["reviewed-by"] == ""
    assert f"# was {ENTRY.version}; reviewed on" in text


def test_what_is_in_the_register_stays_as_it_is(tmp_path: Path) -> None:
    mine = '# ours\n[[soup]]\ntitle = "a"  # why\ncomponent = "a"\nversion = "1"\nmanufacturer = "m"\n'
    mine += 'why = "w"\n'
    (tmp_path / "soup.toml").write_text(mine)
    entries = soup_draft.draft(match_components([component("pkg:npm/x@1")], ()), named=False)
    soup_register.append(tmp_path, "soup.toml", lambda text: soup_draft.append(text, entries))
    assert (tmp_path / "soup.toml").read_text().startswith(mine)
    assert len(soup_register.read(tmp_path, "soup.toml")) == 2


def test_a_register_without_entries_gets_its_first_ones(tmp_path: Path) -> None:
    (tmp_path / "soup.toml").write_text("# ours\nsoup = []\n")
    entries = soup_draft.draft(match_components([component("pkg:npm/x@1")], ()), named=False)
    soup_register.append(tmp_path, "soup.toml", lambda text: soup_draft.append(text, entries))
    assert (tmp_path / "soup.toml").read_text().startswith("# ours\n\n")
    assert len(soup_register.read(tmp_path, "soup.toml")) == 1


def test_a_register_that_is_broken_or_elsewhere_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "soup.toml").write_text("[[soup]]\ntitle = 1\n")
    with pytest.raises(ConfigError):
        soup_register.append(tmp_path, "soup.toml", lambda text: text + "# more\n")
    assert (tmp_path / "soup.toml").read_text() == "[[soup]]\ntitle = 1\n"
    target = tmp_path / "target.toml"
    (tmp_path / "link.toml").symlink_to(target)
    for name in ("../soup.toml", "link.toml"):
        with pytest.raises(SourceError):
            soup_register.append(tmp_path, name, lambda _: "soup = []\n")
    assert not target.exists()
    with pytest.raises(ConfigError):
        soup_register.append(tmp_path, "new.toml", lambda _: "[[soup]]\n")
    assert not (tmp_path / "new.toml").exists()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Component,
            name=st.text(max_size=20),
            version=st.text(max_size=10),
            purl=st.sampled_from(["", "pkg:npm/a@1", "pkg:deb/debian/c@1?distro=debian-12", "pkg:golang/x"]),
            supplier=st.text(max_size=20),
            license=st.text(max_size=20),
            distro=st.sampled_from(["", "debian-12", "\n[[soup]]"]),
        ),
        max_size=20,
    ),
    st.booleans(),
)
def test_no_name_out_of_an_image_writes_anything_but_itself(components: list[Component], named: bool) -> None:
    entries = soup_draft.draft(match_components(components, ()), named=named)
    text = soup_draft.append("", entries)
    assert len(tomllib.loads(text).get("soup", ())) == len(entries)


@pytest.mark.parametrize(("name", "version"), [("*", "1"), ("pkg:*", "*"), ("a?[b]*", "[0-9]*")])
def test_a_name_out_of_an_image_is_no_pattern(tmp_path: Path, name: str, version: str) -> None:
    odd = Component(name=name, version=version)
    entries = write((odd,), tmp_path, named=True)
    other = Component(name="a1b2", version="1")
    assert [bool(each.entry) for each in match_components([odd, other], entries)] == [True, False]


def test_every_well_known_maker_has_a_pattern_that_can_match() -> None:
    for each in ORIGINS:
        assert each.pattern == each.pattern.lower()
        assert "@" not in each.pattern
        assert each.home.startswith("https://")
        assert each.anomalies.startswith("https://")
