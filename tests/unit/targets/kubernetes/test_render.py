"""What a chart or kustomization of a hostile repository may not reach: nothing outside of the repository."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import cast

import msgspec
import pytest

from autoclave.device.schema import Kubernetes
from autoclave.errors import ConfigError, SourceError
from autoclave.runtime.folder import Folder
from autoclave.runtime.shell import Shell
from autoclave.targets.kubernetes import chart, copies, kustomization
from autoclave.targets.kubernetes.render import render_manifests


class NoPrograms:
    """Starts nothing: what is hostile must be refused before any program sees it."""

    def run(self, *_: object, **__: object) -> object:
        raise AssertionError("a program was started")


SHELL = cast(Shell, NoPrograms())


@pytest.fixture
def device(tmp_path: Path) -> Path:
    made = tmp_path / "repository"
    for folder in ("deploy", "base", "chart/templates"):
        (made / folder).mkdir(parents=True)
    (made / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: x\nversion: 1.0.0\n")
    (made / "base" / "kustomization.yaml").write_text("resources: [app.yaml]\n")
    (made / "base" / "app.yaml").write_text("kind: ConfigMap\n")
    (tmp_path / "outside.yaml").write_text("secret")
    return made


def contents(path: Path) -> dict[str, bytes]:
    return {str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*") if each.is_file()}


# --- kustomizations


def stage(device: Path, text: str, name: str = "deploy") -> dict[str, bytes]:
    (device / "deploy" / "kustomization.yaml").write_text(text)
    target = device.parent / "staged"
    kustomization.stage(name, Folder(device), Folder(target))
    assert not [each for each in target.rglob("*") if each.is_symlink()]
    return contents(target)


def test_a_kustomization_arrives_with_all_that_it_uses(device: Path) -> None:
    (device / "deploy" / "limits.env").write_text("SPO2=90\n")
    (device / "deploy" / "patch.yaml").write_text("kind: Deployment\n")
    text = """\
resources: [../base]
namePrefix: &prefix clinic-
nameSuffix: *prefix
patches: [{path: patch.yaml, target: {kind: Deployment}}, {patch: "a: b\\n"}]
patchesStrategicMerge: [patch.yaml, "kind: Deployment\\nmetadata: {name: x}\\n"]
configMapGenerator: [{name: x, envs: [limits.env], files: [limits.env, other=limits.env], literals: [a=b]}]
"""
    staged = stage(device, text)
    assert staged.keys() == {
        "base/app.yaml",
        "base/kustomization.yaml",
        "deploy/kustomization.yaml",
        "deploy/limits.env",
        "deploy/patch.yaml",
    }
    written = json.loads(staged["deploy/kustomization.yaml"])
    assert written["nameSuffix"] == "clinic-"
    assert written["patches"] == [
        {"path": "patch.yaml", "target": {"kind": "Deployment"}},
        {"patch": "a: b\n"},
        {"path": "patch.yaml"},
        {"patch": "kind: Deployment\nmetadata: {name: x}\n"},
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Resources: ['http://127.0.0.1:1/r.yaml']", "refused: Resources"),
        ("RESOURCES: [../../outside.yaml]", "refused: RESOURCES"),
        ("ConfigMapGenerator: [{name: a, files: [../../outside.yaml]}]", "refused: ConfigMapGenerator"),
        ("configMapGenerator: [{name: a, Files: [../../outside.yaml]}]", "refused: configMapGenerator.Files"),
        ("secretGenerator: [{name: a, ENVS: [../../outside.yaml]}]", "refused: secretGenerator.ENVS"),
        ("patches: [{Path: ../../outside.yaml}]", "refused: patches.Path"),
        ("generators: [run.yaml]", "refused: generators"),
        ("Generators: [run.yaml]", "refused: Generators"),
        ("transformers: [run.yaml]", "refused: transformers"),
        ("validators: [run.yaml]", "refused: validators"),
        ("helmCharts: [{name: x, repo: https://example.org}]", "refused: helmCharts"),
        ("HelmCharts: [{name: x, repo: https://example.org}]", "refused: HelmCharts"),
        ("helmChartInflationGenerator: [{chartName: x}]", "refused: helmChartInflationGenerator"),
        ("helmGlobals: {chartHome: ../..}", "refused: helmGlobals"),
        ("openapi: {path: ../../outside.yaml}", "refused: openapi"),
        ("OpenAPI: {path: ../../outside.yaml}", "refused: OpenAPI"),
        ("re\u017fources: [../../outside.yaml]", "refused: re"),  # folds to 'resources'
        ("resources: ['https://example.org/all.yaml']", "outside the repository"),
        ('resources: ["http://127.0.0.1:1/r.yaml\\n"]', "not the name of a file"),
        ("resources: ['git@example.org:x/y.git']", "outside the repository"),
        ("resources: ['github.com/a/b']", "outside the repository"),
        ("resources: ['GitHub.com/a/b']", "outside the repository"),
        ("components: ['git::https://example.org/x']", "outside the repository"),
        ("bases: ['./local?ref=main']", "outside the repository"),
        ("resources: [../../outside.yaml]", "outside the repository"),
        ("resources: [/etc/passwd]", "outside the repository"),
        ("resources: [missing.yaml]", "is not in the repository"),
        ("resources: [../base/kustomization.yaml]", "is a kustomization"),
        ("resources: [{a: b}]", "not the name of a file"),
        ("resources: ../base", "is not a list"),
        ("crds: [../../outside.yaml]", "outside the repository"),
        ("configurations: ['http://127.0.0.1:1/c.yaml']", "outside the repository"),
        ("replacements: [{path: ../../outside.yaml}]", "outside the repository"),
        ("patches: [{path: ../../outside.yaml}]", "outside the repository"),
        ("patchesJson6902: [{path: ../../outside.yaml, target: {kind: X}}]", "outside the repository"),
        ("patchesStrategicMerge: ['http://127.0.0.1:1/a: b']", "outside the repository"),
        ("configMapGenerator: [{name: x, files: [key=../../outside.yaml]}]", "outside the repository"),
        ("configMapGenerator: [{name: x, files: ['key=http://127.0.0.1:1/x']}]", "outside the repository"),
        ("configMapGenerator: [{name: x, env: ../../outside.yaml}]", "outside the repository"),
        ("resources: [../base]\nresources: [../../outside.yaml]", "is not YAML that can be used"),
        ("resources: [../base]\n---\nresources: [../../outside.yaml]", "is not YAML that can be used"),
        ("commonLabels: {day: .nan}", "is not YAML that can be used"),
        ("[a]", "not a mapping"),
        ("{a: &a [1], ", "is not YAML that can be used"),
    ],
)
def test_a_kustomization_fetches_nothing_and_runs_nothing(device: Path, line: str, message: str) -> None:
    (device / "github.com" / "a" / "b").mkdir(parents=True)
    with pytest.raises(ConfigError, match=message) as caught:
        stage(device, line + "\n")
    assert "deploy/kustomization.yaml" in caught.value.what


def test_what_a_base_names_is_checked_as_well(device: Path) -> None:
    (device / "base" / "kustomization.yaml").write_text("Resources: [../../outside.yaml]\n")
    with pytest.raises(ConfigError, match=r"base/kustomization.yaml: refused: Resources"):
        stage(device, "resources: [../base]\n")


@pytest.mark.parametrize(
    "link", ["deploy/x.yaml", "linked", "base/kustomization.yaml", "deploy/kustomization.yaml"]
)
def test_a_kustomization_follows_no_link(device: Path, link: str) -> None:
    (device / "side").mkdir()
    (device / "side" / "x.yaml").symlink_to("../../outside.yaml")
    named = {"deploy/x.yaml": "x.yaml", "linked": "../linked/x.yaml"}.get(link, "../base")
    (device / "deploy" / "kustomization.yaml").write_text(f"resources: [{named}]\n")
    (device / link).unlink(missing_ok=True)
    (device / link).symlink_to(device / "side" / "x.yaml" if link.endswith("yaml") else "side")
    with pytest.raises(SourceError, match="is a link"):
        kustomization.stage("deploy", Folder(device), Folder(device.parent / "staged"))


def test_a_fifo_is_refused_and_not_waited_for(device: Path) -> None:
    os.mkfifo(device / "deploy" / "x.yaml")
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        stage(device, "resources: [x.yaml]\n")


def test_kustomizations_that_use_each_other_end(device: Path) -> None:
    (device / "base" / "kustomization.yaml").write_text("resources: [../deploy]\n")
    assert len(stage(device, "resources: [../base]\n")) == 2


@pytest.mark.parametrize("name", ["deploy/../base", "./base/", "missing/../base"])
def test_a_kustomization_is_rendered_where_it_was_written(device: Path, name: str) -> None:
    started = []

    class Kubectl:
        def run(self, argv: list[str], *, cwd: Path, **_: object) -> object:
            assert (cwd / argv[-1] / "kustomization.yaml").is_file()
            started.append(argv[-1])
            raise ConfigError("seen")

    settings = Kubernetes(namespace="n", kustomization=name)
    with pytest.raises(ConfigError, match="seen"):
        render_manifests(settings, "d", device, cast(Shell, Kubectl()))
    assert started == ["device/base"]


def test_a_file_that_is_named_often_is_copied_once(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, plain = [], Folder.read
    monkeypatch.setattr(
        Folder, "read", lambda folder, name, *, limit: read.append(name) or plain(folder, name, limit=limit)
    )
    names = ["../base/app.yaml", "../deploy/../base/app.yaml", "../base", "../base/../base", "../base/"] * 50
    stage(device, json.dumps({"resources": names, "crds": names[:2]}))
    assert sorted(read) == ["base/app.yaml", "base/kustomization.yaml", "deploy/kustomization.yaml"]


def test_what_kustomizations_use_has_a_bound(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (device / "deploy" / f"{name}.yaml").write_bytes(b"#" * 400_000)
    text = json.dumps({"resources": ["a.yaml", "b.yaml", "c.yaml"]})
    stage(device, text)
    with monkeypatch.context() as patch, pytest.raises(ConfigError, match="more than 1 MiB or"):
        patch.setattr(copies, "_LARGEST_FILES", 1 << 20)
        stage(device, text)
    with monkeypatch.context() as patch, pytest.raises(ConfigError, match="or 2 files"):
        patch.setattr(copies, "_MOST_FILES", 2)
        stage(device, text)
    (device / "base" / "kustomization.yaml").write_text("#" * 600_000 + "\nresources: [app.yaml]\n")
    monkeypatch.setattr(copies, "_LARGEST_TEXT", 1 << 20)
    stage(device, "resources: [../base]\n")
    with pytest.raises(ConfigError, match="have more than 1 MiB"):
        stage(device, "#" * 600_000 + "\nresources: [../base]\n")


def test_aliases_that_multiply_are_refused(device: Path) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    with pytest.raises(ConfigError, match="its aliases multiply"):
        stage(device, "commonAnnotations:\n" + "".join(f"  {each}\n" for each in lines))


@pytest.mark.parametrize("name", ["deploy", "nowhere"])
def test_a_kustomization_is_exactly_one_file(device: Path, name: str) -> None:
    (device / "deploy" / "Kustomization").write_text("")
    with pytest.raises(ConfigError, match="is not a kustomization that can be used"):
        stage(device, "resources: []\n", name)


# --- charts


def stage_chart(device: Path) -> dict[str, bytes]:
    target = device.parent / "staged"
    chart.stage("chart", Folder(device), Folder(target))
    assert not [each for each in target.rglob("*") if each.is_symlink()]
    return contents(target)


@pytest.mark.parametrize("way", ["direct", "two steps", "three steps", "absolute", "folder"])
def test_a_link_in_a_chart_that_leads_out_of_the_repository_is_refused(device: Path, way: str) -> None:
    (device / "side").mkdir()
    match way:
        case "direct":
            (device / "chart" / "x.yaml").symlink_to("../../outside.yaml")
        case "two steps":
            (device / "side" / "x.yaml").symlink_to("../../outside.yaml")
            (device / "chart" / "files").symlink_to("../side")
        case "three steps":
            (device / "more").mkdir()
            (device / "more" / "x.yaml").symlink_to("../../outside.yaml")
            (device / "side" / "more").symlink_to("../more")
            (device / "chart" / "files").symlink_to("../side")
        case "absolute":
            (device / "chart" / "x.yaml").symlink_to("/etc/passwd")
        case "folder":
            (device / "chart" / "files").symlink_to("../..")
    with pytest.raises(SourceError, match="leaves the device folder"):
        render_manifests(Kubernetes(namespace="n", chart="chart"), "device", device, SHELL)


def test_a_link_that_stays_inside_becomes_what_it_leads_to(device: Path) -> None:
    (device / "side").mkdir()
    (device / "side" / "limits.yaml").write_text("spo2: 90")
    (device / "chart" / "files").symlink_to("../side")
    assert stage_chart(device)["files/limits.yaml"] == b"spo2: 90"


@pytest.mark.parametrize("target", [".", "..", "templates/../../chart"])
def test_a_link_back_ends(device: Path, target: str) -> None:
    (device / "chart" / "loop").symlink_to(target)
    with pytest.raises(SourceError, match="too deeply"):
        stage_chart(device)


@pytest.mark.parametrize("name", [".git", ".GIT", ".autoclave"])
def test_what_is_not_committed_is_no_part_of_a_chart(device: Path, name: str) -> None:
    (device / name).mkdir()
    (device / name / "config").write_text("token")
    (device / "chart" / "config").symlink_to(f"../{name}/config")
    with pytest.raises(SourceError, match=f"is {name}/config"):
        stage_chart(device)


@pytest.mark.parametrize("name", [".", "./"])
def test_a_repository_may_be_a_chart_without_what_is_not_committed(device: Path, name: str) -> None:
    (device / "Chart.yaml").write_text("name: x\n")
    for private in (".git", ".autoclave"):
        (device / private).mkdir()
        (device / private / "config").write_text("token")
    chart.stage(name, Folder(device), Folder(device.parent / "staged"))
    staged = contents(device.parent / "staged")
    assert "Chart.yaml" in staged
    assert "base/app.yaml" in staged
    assert not [each for each in staged if each.startswith(".")]


@pytest.mark.parametrize("odd", ["fifo", "dangling"])
def test_a_chart_has_plain_files(device: Path, odd: str) -> None:
    if odd == "fifo":
        os.mkfifo(device / "chart" / "x")
    else:
        (device / "chart" / "x").symlink_to("missing")
    with pytest.raises(SourceError, match="'chart/x' is "):
        stage_chart(device)


@pytest.mark.parametrize(
    "schema",
    [
        '{"$ref": "http://127.0.0.1:1/schema.json"}',
        '{"$ref": "file:///etc/passwd"}',
        '{"$ref": "other.json"}',
        '{"properties": {"a": {"items": [{"$ref": "/etc/passwd"}]}}}',
        '{"\\u0024ref": "http://127.0.0.1:1/x"}',
        '{"$ref": "#/a", "$ref": "http://127.0.0.1:1/x"}',
        '{"$ref": "http://127.0.0.1:1/x", "$ref": "#/a"}',
        '{"$dynamicRef": "http://127.0.0.1:1/x"}',
        '{"$schema": "http://127.0.0.1:1/x"}',
        '{"$schema": "http://json-schema.org/draft-07/schema.evil"}',
        '{"a": {"$schema": "file:///etc/passwd", "$id": "x"}}',
    ],
)
@pytest.mark.parametrize("where", ["chart", "charts/sub", "packed", "packed twice"])
def test_a_schema_refers_to_nothing_outside_itself(device: Path, schema: str, where: str) -> None:
    folder = device / "chart"
    match where:
        case "chart":
            (folder / "values.schema.json").write_text(schema)
        case "charts/sub":
            (folder / where).mkdir(parents=True)
            (folder / where / "values.schema.json").write_text(schema)
        case _:
            raw = pack({"sub/values.schema.json": schema.encode()})
            if where == "packed twice":
                raw = pack({"outer/charts/sub.tgz": raw})
            (folder / "charts").mkdir()
            (folder / "charts" / "sub.tgz").write_bytes(raw)
    with pytest.raises(ConfigError, match="is outside the schema"):
        stage_chart(device)


def test_a_schema_that_refers_to_itself_is_kept(device: Path) -> None:
    text = (
        '{"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": "#/$defs/a", "$defs": {"a": {}}}'
    )
    (device / "chart" / "values.schema.json").write_text(text)
    assert stage_chart(device)["values.schema.json"] == text.encode()


@pytest.mark.parametrize("text", ["{", "\ufeff{}", "[" * 5000])
def test_a_schema_that_is_not_json_is_refused(device: Path, text: str) -> None:
    (device / "chart" / "values.schema.json").write_text(text)
    with pytest.raises(ConfigError, match="is not JSON"):
        stage_chart(device)


def pack(files: dict[str, bytes], link: str = "") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, raw in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(raw)
            archive.addfile(header, io.BytesIO(raw))
        if link:
            header = tarfile.TarInfo("sub/link")
            header.type, header.linkname = tarfile.SYMTYPE, link
            archive.addfile(header)
    return made.getvalue()


def test_a_packed_dependency_is_packed_anew_from_what_was_checked(device: Path) -> None:
    (device / "chart" / "charts").mkdir()
    (device / "chart" / "charts" / "sub.tgz").write_bytes(
        pack({"sub/Chart.yaml": b"name: sub"}) + b"\0" * 512
    )
    raw = stage_chart(device)["charts/sub.tgz"]
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        assert archive.getnames() == ["sub/Chart.yaml"]


@pytest.mark.parametrize("odd", ["link", "backslash", "more", "cut", "plain"])
def test_a_packed_dependency_has_plain_files(device: Path, odd: str) -> None:
    good = pack({"sub/Chart.yaml": b""})
    raw = {
        "link": pack({}, link="/etc/passwd"),
        "backslash": pack({"sub\\values.schema.json": b'{"$ref": "/etc/passwd"}'}),
        "more": good + b"more",
        "cut": good[:-20],
        "plain": b"not packed",
    }[odd]
    (device / "chart" / "charts").mkdir()
    (device / "chart" / "charts" / "sub.tgz").write_bytes(raw)
    with pytest.raises(ConfigError, match=r"is not a plain file|cannot be unpacked"):
        stage_chart(device)


def test_a_sparse_file_of_a_packed_dependency_is_refused_unread(device: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        header = tarfile.TarInfo("sub/big")
        header.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(1 << 50)}
        archive.addfile(header)
    (device / "chart" / "charts").mkdir()
    (device / "chart" / "charts" / "sub.tgz").write_bytes(made.getvalue())
    with pytest.raises(ConfigError, match="cannot be unpacked") as caught:
        stage_chart(device)
    assert "a sparse file" in caught.value.why


def test_the_archives_of_a_chart_have_one_bound(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = device / "chart" / "charts"
    folder.mkdir()
    raw = pack({"sub/a": bytes(300_000)})
    for name in ("a", "b", "c"):
        (folder / f"{name}.tgz").write_bytes(raw)
    stage_chart(device)
    monkeypatch.setattr(chart, "_LARGEST", 1 << 20)
    stage_chart(device)
    (folder / "d.tgz").write_bytes(pack({"sub/charts/e.tgz": raw}))
    with pytest.raises(ConfigError, match="unpack to more than 1 MiB"):
        stage_chart(device)
    monkeypatch.setattr(chart, "_LARGEST", 1 << 30)
    monkeypatch.setattr(chart, "_MOST", 8)
    for name in ("a", "b", "c"):
        (folder / f"{name}.tgz").write_bytes(pack({f"sub/{number}": b"" for number in range(3)}))
    with pytest.raises(ConfigError, match="have more than 8 files"):
        stage_chart(device)


def test_values_are_not_read_through_a_link(device: Path) -> None:
    (device / "v.yaml").symlink_to("../outside.yaml")
    with pytest.raises(SourceError, match="is a link"):
        render_manifests(Kubernetes(namespace="n", chart="chart", values=["v.yaml"]), "d", device, SHELL)


@pytest.mark.parametrize("names", [{}, {"manifests": ["a"], "chart": "b"}])
def test_exactly_one_way_is_named(tmp_path: Path, names: dict[str, object]) -> None:
    settings = msgspec.convert({"namespace": "n", **names}, Kubernetes)
    with pytest.raises(ConfigError, match="one of manifests, kustomization and chart"):
        render_manifests(settings, "device", tmp_path, SHELL)
