"""Rust: Cargo.toml. cargo-nextest archives the tests in the builder, and runs them on the released image.

Read in nextest's documentation: nexte.st/docs/ci-features/archiving and nexte.st/docs/machine-readable/junit.
"""

from __future__ import annotations

from autoclave.actions.starter import texts
from autoclave.actions.starter.facts import Project, Tests, left
from autoclave.actions.starter.stacks.base import RESULTS, TESTS, Sources, Stack

_ROOTS = ("lib.rs", "main.rs")
_SETTINGS = ".config/nextest.toml"


def read(sources: Sources) -> Project | None:
    """Return the project of a folder; a member of a workspace above it is one of its own."""
    source = sources.path("Cargo.toml")
    data = texts.read_toml(sources.text("Cargo.toml"), source)
    package = texts.table(data, "package")
    if not package and "workspace" not in data:
        return None
    version = package.get("version") or texts.table(data, "workspace", "package").get("version")
    has_tests = sources.has("tests") or any(b"#[cfg(test)]" in raw for raw in _roots(sources))
    remarks = [] if has_tests else [left(f"no #[test] was found beside {source}")]
    if has_tests and not sources.has(_SETTINGS):
        wanted = f'[profile.default.junit] path = "{RESULTS}/junit.xml"'
        remarks.append(
            left(f"write {sources.path(_SETTINGS)} with {wanted}: nextest writes no JUnit otherwise")
        )
    return Project(
        stack="cargo",
        title="Rust",
        folder=sources.folder,
        source=source,
        name=texts.word(package, "name"),
        version=texts.to_version(version),
        tests=_tests() if has_tests else None,
        outputs=(sources.path("target"),),
        ignored=("**/target",),
        remarks=tuple(remarks),
    )


def _roots(sources: Sources) -> list[bytes]:
    """Return the files that a crate begins with, as far as they were read."""
    found = (sources.repository.contents.get(sources.path(f"src/{name}")) for name in _ROOTS)
    return [raw for raw in found if raw is not None]


def _tests() -> Tests:
    return Tests(
        tool="nextest",
        command=(
            f"{TESTS}/cargo-nextest",
            "nextest",
            "run",
            f"--archive-file={TESTS}/tests.tar.zst",
            "--extract-to=/tmp/tests",
            f"--workspace-remap={TESTS}/source",
        ),
        image="rust:1",
        builder=(
            "RUN cargo install --locked --root /usr/local cargo-nextest && \\",
            f"    mkdir -p {TESTS} && cargo nextest archive --archive-file {TESTS}/tests.tar.zst && \\",
            f"    cp /usr/local/bin/cargo-nextest {TESTS} && cp -r . {TESTS}/source",
        ),
        stage=(f"COPY --from=test-build {TESTS} {TESTS}",),
        memory="2g",
    )


STACK = Stack(files=("Cargo.toml", *_ROOTS), bases=("rust", "cargo"), read=read)
