"""Manifests: read strictly whatever a repository holds, changed in place, comments kept."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoclave.errors import AutoclaveError, ConfigError, SourceError
from autoclave.targets.kubernetes.images import find_unpinned, match_image, pin
from autoclave.targets.kubernetes.manifests import dump, read, read_files, set_namespace
from autoclave.targets.kubernetes.pods import containers

DIGEST = "sha256:" + "a" * 64
POD = "{apiVersion: v1, kind: Pod, metadata: {name: p}}"

CRON = """\
# the nightly report
apiVersion: batch/v1
kind: CronJob
metadata:
  name: report  # kept
spec:
  jobTemplate:
    spec:
      template:
        spec:
          initContainers:
            - name: first
              image: docker.io/library/busybox:1
          containers:
            - name: report
              image: registry.example:5000/team/pump/report:2.0  # ours
"""


def test_images_are_replaced_and_comments_stay() -> None:
    reference = f"mirror.example/pump/report@{DIGEST}"
    before = read(CRON, "cron.yaml")
    after, others = pin(before, "pump", {"report": reference})
    expected = CRON.replace("registry.example:5000/team/pump/report:2.0", reference)
    assert dump(after) == expected.replace("  # ours", " # ours")  # a longer value moves its comment
    assert dump(before) == CRON
    assert others == {"docker.io/library/busybox:1": "CronJob/report: container first"}
    assert find_unpinned(others) == [
        "CronJob/report: container first runs 'docker.io/library/busybox:1', which no digest pins"
    ]
    assert find_unpinned({f"docker.io/busybox@{DIGEST}": "Pod/p: container c"}) == []


def test_containers_are_shown_with_their_place() -> None:
    found = [(each.path, each.name, each.init) for each in containers(read(CRON, "cron.yaml"))]
    assert found == [
        ("spec.jobTemplate.spec.template.spec.initContainers[0]", "first", True),
        ("spec.jobTemplate.spec.template.spec.containers[0]", "report", False),
    ]


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("pump/gateway", "gateway"),
        ("pump/gateway:1.0", "gateway"),
        (f"registry.example:5000/a/pump/gateway:1@{DIGEST}", "gateway"),
        ("gateway", ""),
        ("other/gateway", ""),
        ("pump/gateway/extra", ""),
        ("xpump/gateway", ""),
        ("pump:5000/other", ""),
        ("", ""),
    ],
)
def test_an_image_belongs_to_the_device_by_the_end_of_its_path(image: str, name: str) -> None:
    assert match_image(image, "pump", ["gateway", "report"]) == name


def test_a_list_is_taken_apart_and_windows_lines_are_lines() -> None:
    text = (
        f"apiVersion: v1\r\nkind: List\r\nitems:\r\n- {{apiVersion: v1, kind: PodList, items: [{POD}]}}\r\n"
    )
    assert [each.title for each in read(text, "list.yaml")] == ["Pod/p"]


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n---\n"])
def test_empty_documents_are_not_manifests(text: str, tmp_path: Path) -> None:
    assert read(text, "empty.yaml") == []
    (tmp_path / "empty.yaml").write_text(text)
    with pytest.raises(ConfigError, match="no manifest was found in"):
        read_files(tmp_path, ["empty.yaml"])


def test_merge_keys_are_resolved_where_containers_are_searched() -> None:
    text = """
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
    - &one {name: one, image: pump/gateway:1}
    - {<<: *one, name: two}
"""
    after, others = pin(read(text, "merge.yaml"), "pump", {"gateway": f"r/pump/gateway@{DIGEST}"})
    again = containers(read(dump(after), "again"))
    assert [(each.name, each.image) for each in again] == [
        ("one", f"r/pump/gateway@{DIGEST}"),
        ("two", f"r/pump/gateway@{DIGEST}"),
    ]
    assert others == {}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{last}'] * 10)}]\n"
    for last, name in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "alias bomb": BOMB,
    "endless": "a: &a [*a]\n",
    "deep": "[" * 5000,
    "nested": "a: " + "[" * 100 + "]" * 100,
    "python": "!!python/object/apply:os.system [id]\n",
    "own tag": POD.replace("name: p", "name: !evil p"),
    "tagged map": POD.replace("{name", "!evil {name"),
    "duplicate key": POD.replace("kind: Pod", "kind: Pod, kind: Job"),
    "nul": "a: \0\n",
    "huge": "a: " + "x" * (10 << 20),
    "number key": POD.replace("name: p", "name: p, 1: 2"),
    "list key": POD.replace("name: p", "name: p, ? [a] : b"),
    "big number": POD.replace("name: p", "name: p, n: " + "9" * 5000),
    "text": "just text",
    "list": "[1, 2]",
    "no kind": "{apiVersion: v1, metadata: {name: p}}",
    "kind of numbers": POD.replace("Pod", "12"),
    "no name": "{apiVersion: v1, kind: Pod, metadata: {generateName: p-}}",
    "option as name": POD.replace("name: p", "name: --all"),
    "escape codes": POD.replace("name: p", 'name: "\\e[2J"'),
    "path as kind": POD.replace("Pod", "../Pod"),
    "odd version": POD.replace("v1", "v1/../x"),
    "twice": f"{POD}\n---\n{POD}\n",
    "half": "a: [",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_yaml_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        read(text, "bad.yaml")


@pytest.mark.parametrize("text", ["containers: [a]", "containers: [[]]", "initContainers: [1]"])
def test_an_invalid_container_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a container"):
        containers(
            read(f"{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{{text}}}}}", "bad.yaml")
        )


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("abc:-{}[]&*!<>|'\"\n #?%@`,~0\t"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        read(text, "any.yaml")


def test_folders_are_read_in_order_and_links_do_not_lead_out(tmp_path: Path) -> None:
    folder = tmp_path / "device" / "deploy"
    folder.mkdir(parents=True)
    (folder / "b.yaml").write_text(POD.replace("name: p", "name: b"))
    (folder / "a.yml").write_text(POD.replace("name: p", "name: a"))
    (folder / "notes.txt").write_text("no manifest")
    device = folder.parent
    assert [each.name for each in read_files(device, ["deploy"])] == ["a", "b"]
    (tmp_path / "outside.yaml").write_text(POD)
    (folder / "c.yaml").symlink_to(tmp_path / "outside.yaml")
    with pytest.raises(SourceError, match="leaves the device folder"):
        read_files(device, ["deploy"])


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("../x.yaml", None, SourceError),
        ("/etc/passwd", None, SourceError),
        ("absent.yaml", None, SourceError),
        ("x.yaml", b"\xff\xfe\x00", ConfigError),
        ("x.yaml", b"a" * (10 << 20), ConfigError),
        ("x.yaml", POD.encode("utf-16"), ConfigError),
    ],
)
def test_files_that_cannot_be_used_are_refused(
    tmp_path: Path, name: str, content: bytes | None, error: type[AutoclaveError]
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error):
        read_files(tmp_path, [name])


def test_every_object_gets_the_namespace_and_no_other() -> None:
    (placed,) = set_namespace(read(POD, "p.yaml"), "ward")
    assert placed.data["metadata"]["namespace"] == "ward"
    with pytest.raises(ConfigError, match="is in namespace 'kube-system', but the environment's is 'ward'"):
        set_namespace(read(POD.replace("name: p", "name: p, namespace: kube-system"), "p.yaml"), "ward")
    with pytest.raises(ConfigError, match="ClusterRoleBinding/p belongs to no namespace"):
        set_namespace(read(POD.replace("Pod", "ClusterRoleBinding"), "p.yaml"), "ward")


def test_a_name_that_is_no_text_is_refused_by_its_value() -> None:
    with pytest.raises(ConfigError, match=r"metadata\.name of a Pod is True and not text"):
        read(POD.replace("name: p", "name: y"), "pod.yaml")
