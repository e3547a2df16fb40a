"""What the files alone show: everything at once, each with what to do, and nothing that is not so."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from autoclave import targets
from autoclave.actions import validate
from autoclave.actions.validate import Finding, Level
from autoclave.actions.validate.places import USUAL
from autoclave.errors import ConfigError, PolicyLoosened, SourceError

TODAY = date(2026, 11, 30)
DEVICE = """
[device]
name = "pump"
version = "1.0"
safety-class = "A"
[[image]]
name = "app"
target = "release"
[image.service]
port = 8080
health = "/health"
[unit-test]
stage = "test"
command = ["pytest", "--junit-xml=/autoclave/results/junit.xml"]
copy = ["tests"]
[[environment]]
name = "staging"
publish = { app = 18080 }
"""
DOCKERFILE = """
ARG BASE=debian:12
FROM ${BASE} AS build
RUN make
FROM debian:12 AS release
ARG VERSION
COPY --from=build /app /app
COPY tests/ ./autoclave.* ${VERSION}/x /data/
COPY <<END /greeting
hello
END
EXPOSE 8080/tcp
HEALTHCHECK CMD ["/app", "--check"]
USER 10001
FROM release AS test
COPY tools /tools
"""


def device(tmp_path: Path, text: str = DEVICE, dockerfile: str = DOCKERFILE) -> Path:
    folder = tmp_path / "device"
    (folder / "tests").mkdir(parents=True)
    (folder / "autoclave.toml").write_text(text)
    (folder / "Dockerfile").write_text(dockerfile)
    return folder


def check(folder: Path, policy: str = "") -> list[Finding]:
    return validate.check(folder, policy, TODAY)


def only(folder: Path) -> Finding:
    found = check(folder)
    assert len(found) == 1, found
    return found[0]


def test_a_good_device_has_no_finding(tmp_path: Path) -> None:
    assert check(device(tmp_path)) == []


def edited(text: str, before: str, after: str) -> str:
    assert before in text
    return text.replace(before, after)


DEVICES = [
    # what is changed in the device file, the level, the key, what is said, what to do
    ('"release"', '"relese"', Level.ERROR, "image[0].target", "there is no stage 'relese'", "AS"),
    ('stage = "test"', 'stage = "tst"', Level.ERROR, "unit-test.stage", "there is no stage 'tst'", "AS"),
    (
        'stage = "test"',
        'stage = "build"',
        Level.ERROR,
        "unit-test.stage",
        "the test stage 'build' does not start from the released stage",
        "FROM release AS build",
    ),
    (
        'target = "release"\n',
        "",
        Level.ERROR,
        "image[0].target",
        "without a target, its test stage 'test' is what is released",
        'target = "release"',
    ),
    (
        'target = "release"',
        'target = "test"',
        Level.ERROR,
        "unit-test.stage",
        "'test' is the released stage itself",
        "leave out unit-test.stage",
    ),
    (
        'copy = ["tests"]',
        'copy = ["test"]',
        Level.ERROR,
        "unit-test.copy",
        "'test', which unit-test.copy names, does not exist",
        "fix the path",
    ),
    (
        'name = "app"\n',
        'name = "app"\ncontext = "services"\n',
        Level.ERROR,
        "image[0].context",
        "the context 'services' is not a folder",
        "fix image.context",
    ),
    (
        'name = "app"\n',
        'name = "app"\ndockerfile = "App.Dockerfile"\n',
        Level.ERROR,
        "image[0].dockerfile",
        "the Dockerfile 'App.Dockerfile' does not exist",
        "relative to image.context",
    ),
    (
        'name = "app"\n',
        'name = "app"\nargs = { VERSIONS = "1" }\n',
        Level.NOTE,
        "image[0].args",
        "declares no ARG VERSIONS",
        "did you mean 'VERSION'?",
    ),
    (
        "results/junit.xml",
        "results/report.xml",
        Level.GAP,
        "unit-test.junit",
        "writes /autoclave/results/report.xml, but unit-test.junit is junit.xml",
        'junit = ["report.xml"]',
    ),
    (
        "port = 8080",
        "port = 9090",
        Level.NOTE,
        "image[0].service.port",
        "port 9090 is not one that Dockerfile exposes",
        "EXPOSE",
    ),
    (
        'name = "staging"\n',
        'name = "staging"\ntarget = "dockr"\n',
        Level.ERROR,
        "environment[0].target",
        "there is no target 'dockr'",
        "did you mean 'docker'?",
    ),
    (
        "publish = { app = 18080 }",
        'kubernetes = { namespace = "pumps", manifests = ["k8s"] }',
        Level.ERROR,
        "environment[0]",
        "has 'kubernetes', which the target 'docker' does not read",
        "name the target",
    ),
    (
        "publish = { app = 18080 }",
        'target = "kubernetes"',
        Level.ERROR,
        "environment[0].kubernetes",
        "has no [environment.kubernetes]",
        "namespace and manifests",
    ),
    (
        "publish = { app = 18080 }",
        'target = "kubernetes"\nkubernetes = { namespace = "pumps", manifests = ["k8s"] }',
        Level.ERROR,
        "environment[0].kubernetes.manifests",
        "'k8s', which kubernetes.manifests names, does not exist",
        "fix autoclave.toml",
    ),
    (
        "publish = { app = 18080 }",
        'target = "kubernetes"\nkubernetes = { namespace = "pumps", chart = "chart" }',
        Level.ERROR,
        "environment[0].kubernetes.chart",
        "'chart', which kubernetes.chart names, has no Chart.yaml",
        "or add the file",
    ),
    (
        "publish = { app = 18080 }",
        'target = "kubernetes"\nkubernetes = { namespace = "pumps", chart = "tests", manifests = ["tests"] }',
        Level.ERROR,
        "environment[0].kubernetes",
        "needs one of manifests, kustomization and chart",
        "manifests",
    ),
    (
        "[unit-test]",
        '[[report]]\npath = "a.sarif"\ntool = "cppcheck"\n[unit-test]',
        Level.ERROR,
        "report[0].path",
        "the report 'a.sarif' of cppcheck is not a file",
        "commit the report",
    ),
    (
        "[unit-test]",
        "[policy]\nscan = { reports = ['cppcheck'] }\n[unit-test]",
        Level.GAP,
        "report",
        "the device names no report of cppcheck",
        "[[report]]",
    ),
    (
        "[unit-test]",
        '[policy]\nscan = { block = ["hi"] }\n[unit-test]',
        Level.ERROR,
        "policy",
        'scan.block[0] is "hi"',
        "critical",
    ),
]


@pytest.mark.parametrize(("before", "after", "level", "key", "what", "then"), DEVICES)
def test_what_the_device_file_names_must_be_there(
    tmp_path: Path, before: str, after: str, level: Level, key: str, what: str, then: str
) -> None:
    found = check(device(tmp_path, edited(DEVICE, before, after)))
    assert any(
        (each.level, each.key) == (level, key) and what in each.what and then in each.next + each.why
        for each in found
    ), found


DOCKERFILES = [
    ("HEALTHCHECK CMD", "HEALTHCHECK NONE #", None),
    ("FROM release AS test", "FROM debian:12 AS test", "does not start from the released stage"),
    ("RUN make", "RUNN make", "'RUNN' is no instruction"),
    ("ARG BASE=debian:12", "ARG BASE", "is no image name"),
]


@pytest.mark.parametrize(("before", "after", "what"), DOCKERFILES)
def test_the_dockerfile_is_read(tmp_path: Path, before: str, after: str, what: str | None) -> None:
    found = check(device(tmp_path, dockerfile=edited(DOCKERFILE, before, after)))
    assert [what in each.what for each in found] == [True] if what else found == []


def test_all_is_found_at_once(tmp_path: Path) -> None:
    text = DEVICE
    for before, after in (
        ('copy = ["tests"]', 'copy = ["test"]'),
        ('"A"', '"C"'),
        ('stage = "test"', 'stage = "tst"'),
        ('name = "staging"\n', 'name = "staging"\ntarget = "dockr"\n'),
    ):
        text = edited(text, before, after)
    found = check(device(tmp_path, text))
    assert [each.level for each in found] == [Level.ERROR] * 3 + [Level.GAP] * 2
    assert {each.key for each in found} == {
        "environment[0].target",
        "unit-test.stage",
        "unit-test.copy",
        "device.requirements",
        "device.soup",
    }


def test_an_image_without_tests_has_no_release(tmp_path: Path) -> None:
    text = DEVICE[: DEVICE.index("[unit-test]")] + DEVICE[DEVICE.index("[[environment]]") :]
    each = only(device(tmp_path, text))
    assert (each.level, each.what) == (Level.GAP, "image 'app' has no tests")


@pytest.mark.parametrize(
    ("base", "level", "more"), [("scratch", Level.GAP, ""), ("debian:12", Level.NOTE, "unless its base")]
)
def test_health_that_nothing_shows(tmp_path: Path, base: str, level: Level, more: str) -> None:
    """A base may have a health check; scratch has none."""
    dockerfile = edited(DOCKERFILE, "FROM debian:12 AS release", f"FROM {base} AS release")
    dockerfile = "\n".join(line for line in dockerfile.splitlines() if "HEALTHCHECK" not in line)
    each = only(device(tmp_path, edited(DEVICE, 'health = "/health"\n', ""), dockerfile))
    assert each.level is level
    assert "nothing shows that it is healthy" in each.what
    assert more in each.what


def test_a_health_request_that_no_published_port_carries(tmp_path: Path) -> None:
    dockerfile = edited(DOCKERFILE, "HEALTHCHECK CMD", "LABEL x=")
    each = only(device(tmp_path, edited(DEVICE, "publish = { app = 18080 }", ""), dockerfile))
    assert "the request to /health needs a published port, and staging has none" in each.why
    assert "publish = { app = 18080 }" in each.next


def test_a_health_command_needs_neither_port_nor_healthcheck(tmp_path: Path) -> None:
    dockerfile = edited(DOCKERFILE, "HEALTHCHECK CMD", "LABEL x=")
    text = edited(
        edited(DEVICE, "publish = { app = 18080 }", ""), 'health = "/health"', 'health-command = ["x"]'
    )
    assert check(device(tmp_path, text, dockerfile)) == []


FORBIDDEN = edited(DEVICE, '"A"', '"B"')


@pytest.mark.parametrize(
    ("before", "after", "level"),
    [
        ("USER 10001", "USER root", Level.GAP),
        ("USER 10001", "USER 0:0", Level.GAP),
        ("USER 10001", "", Level.NOTE),
        ("USER 10001", "USER $SOMEBODY", None),
        ("COPY --from=build /app /app", "ADD http://x.example/y /app", Level.GAP),
        ("COPY --from=build /app /app", f"ADD --checksum=sha256:{'0' * 64} http://x.example/y /app", None),
    ],
)
def test_what_the_class_forbids_is_a_gap(
    tmp_path: Path, before: str, after: str, level: Level | None
) -> None:
    found = check(device(tmp_path, FORBIDDEN, edited(DOCKERFILE, before, after)))
    found = [each for each in found if not each.key.startswith("device.")]
    assert [each.level for each in found] == ([level] if level else [])


def test_build_secrets_need_the_organisation(tmp_path: Path) -> None:
    text = edited(FORBIDDEN, 'name = "app"\n', 'name = "app"\nsecrets = [{ id = "a", env = "PIP_TOKEN" }]\n')
    folder = device(tmp_path, text)
    assert any("may not have $PIP_TOKEN as a build secret" in each.what for each in check(folder))
    policy = tmp_path / "policy.toml"
    policy.write_text('[build]\nsecrets = ["PIP_TOKEN"]\n')
    assert not any("PIP_TOKEN" in each.what for each in check(folder, str(policy)))


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("requirements", "id,text,knd\n", "unknown column 'knd'"),
        ("requirements", "id,text,kind\n", "r is empty"),
        ("soup", "[[soup]]\ntitle = 3\n", "mistakes"),
        ("links", "[[link]]\n", "mistakes"),
    ],
)
def test_registers_and_requirements_are_read(tmp_path: Path, name: str, content: str, what: str) -> None:
    table = "[traceability]\n" if name == "links" else ""
    key = f'{name} = "r.{"csv" if name == "requirements" else "toml"}"\n'
    text = (
        f"{DEVICE}{table}{key}" if table else edited(DEVICE, 'version = "1.0"\n', f'version = "1.0"\n{key}')
    )
    folder = device(tmp_path, text)
    (folder / ("r.csv" if name == "requirements" else "r.toml")).write_text(content)
    assert what.removeprefix("r ") in only(folder).what


def test_a_file_that_is_no_device_file_is_one_finding_for_each_mistake(tmp_path: Path) -> None:
    text = edited(edited(DEVICE, '"A"', '"D"'), "port = 8080", "port = 0")
    found = check(device(tmp_path, text))
    assert [each.level for each in found] == [Level.ERROR, Level.ERROR]
    (tmp_path / "empty").mkdir()
    assert "autoclave init" in only(tmp_path / "empty").next


def test_errors_become_one_that_lists_them(tmp_path: Path) -> None:
    found = check(device(tmp_path, edited(edited(DEVICE, '"test"', '"tst"'), '["tests"]', '["test"]')))
    error = validate.combine(found)
    assert isinstance(error, SourceError), "both are about the source"
    assert error.what == "autoclave.toml and what it names: 2 mistakes"
    assert "1. " in error.why
    assert "2. " in error.why
    assert validate.combine(found[:1]).what == found[0].what


@pytest.mark.parametrize("name", targets.names())
def test_the_tables_that_are_known_without_a_target_are_those_that_it_reads(name: str) -> None:
    assert targets.tables_of(name) == USUAL[name]


def test_a_link_out_of_the_repository_is_refused_and_not_read(tmp_path: Path) -> None:
    folder = device(tmp_path)
    (tmp_path / "outside").write_text(DOCKERFILE)
    (folder / "Dockerfile").unlink()
    (folder / "Dockerfile").symlink_to(tmp_path / "outside")
    assert any("leaves the device folder" in each.what for each in check(folder))


@pytest.mark.parametrize(
    "dockerfile",
    ["", "FROM", "\x00" * 100, "FROM a\n" * 600, "RUN <<E\n", "FROM x AS 1\n", "# escape=x\nFROM x"],
)
def test_any_dockerfile_gives_findings_and_no_defect(tmp_path: Path, dockerfile: str) -> None:
    assert check(device(tmp_path, dockerfile=dockerfile))


def test_what_leaves_the_repository_is_named_once_and_does_not_end_the_look(tmp_path: Path) -> None:
    text = edited(edited(DEVICE, '["tests"]', '["../x"]'), 'stage = "test"', 'stage = "tst"')
    found = check(device(tmp_path, text))
    assert ["leaves" in each.what for each in found] == [True, False]
    assert "no stage 'tst'" in found[1].what


@pytest.mark.parametrize("key", ["context", "dockerfile"])
@pytest.mark.parametrize("path", ["a/" * 3000, "a" * 300])
def test_a_path_that_no_disk_has_is_refused(tmp_path: Path, key: str, path: str) -> None:
    found = check(device(tmp_path, edited(DEVICE, 'name = "app"\n', f'name = "app"\n{key} = "{path}"\n')))
    assert any("is too long" in each.what for each in found), found


def test_ranges_of_ports_cost_nothing(tmp_path: Path) -> None:
    dockerfile = edited(DOCKERFILE, "EXPOSE 8080/tcp", "EXPOSE 1-7000 9000\n" * 3000)
    assert "it exposes 1-7000, 9000" in only(device(tmp_path, dockerfile=dockerfile)).why


def test_a_command_ends_with_the_code_of_what_is_wrong(tmp_path: Path) -> None:
    loosened = check(
        device(tmp_path / "a", edited(DEVICE, "[unit-test]", "[policy]\nscan = { block = [] }\n[unit-test]"))
    )
    assert isinstance(validate.combine(loosened), PolicyLoosened)
    lost = check(device(tmp_path / "b", edited(DEVICE, '["tests"]', '["test"]')))
    assert isinstance(validate.combine(lost), SourceError)
    assert type(validate.combine([*loosened, *lost])) is ConfigError


@pytest.mark.parametrize(
    "source", ["application/target/app.jar", "application/target/*.jar", '["a b", "/x/"]']
)
def test_what_was_built_outside_is_no_part_of_the_commit(tmp_path: Path, source: str) -> None:
    line = source if source.startswith("[") else f"{source} /app/"
    dockerfile = edited(DOCKERFILE, "COPY --from=build /app /app", f"COPY {line}")
    each = only(device(tmp_path, dockerfile=dockerfile))
    assert "is not in the context of image 'app'" in each.what
    assert (each.kind, each.level) == ("SourceError", Level.ERROR)
    assert "make it in a stage of the Dockerfile" in each.next


@pytest.mark.parametrize(
    "line",
    [
        "COPY . /app",
        "COPY / /app",
        "COPY ./Dockerfile /tests/ /app/",
        "COPY [a-z]*.toml /app/",
        "ADD --checksum=sha256:%s https://x.example/y.jar /app/" % ("0" * 64),
        "ADD https://github.com/a/b.git /app/",
        "COPY --from=build nowhere /app",
        "COPY --chown=1:1 tests /app",
    ],
)
def test_what_the_context_has_or_may_have_is_no_finding(tmp_path: Path, line: str) -> None:
    assert check(device(tmp_path, dockerfile=edited(DOCKERFILE, "COPY --from=build /app /app", line))) == []
