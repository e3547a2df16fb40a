"""Go: go.mod. Test programs are compiled in the builder, and gotestsum runs them on the released image.

`go test` itself would need the compiler, the sources and all modules there. What a test program prints
becomes JUnit by cmd/test2json and gotestsum's `--raw-command` (github.com/gotestyourself/gotestsum).
"""

from __future__ import annotations

import re

from autoclave.actions.starter import texts
from autoclave.actions.starter.facts import Project, Tests, left
from autoclave.actions.starter.stacks.base import RESULTS, TESTS, Sources, Stack

GOTESTSUM = "v1.13.0"
_MODULE = re.compile(r"^module\s+\"?(?P<path>[^\s\"]{1,300})\"?", re.MULTILINE)
_MAJOR = re.compile(r"/v[0-9]+\Z")

_BUILDER = (
    "ENV CGO_ENABLED=0",
    f"RUN GOBIN={TESTS} go install gotest.tools/gotestsum@{GOTESTSUM} && \\",
    f"    go build -o {TESTS}/test2json cmd/test2json && echo 'failed=0' > {TESTS}/run.sh && \\",
    "    go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}' ./... | \\",
    "    while read -r package folder; do \\",
    f"        at={TESTS}/packages/$package && mkdir -p $at && go test -c -o $at/tests $package || exit 1; \\",
    "        if [ -d $folder/testdata ]; then cp -r $folder/testdata $at; fi; \\",
    f'        echo "cd $at && {TESTS}/test2json -t -p $package ./tests -test.v=test2json || failed=1" '
    f">> {TESTS}/run.sh; \\",
    f"    done && echo 'exit $failed' >> {TESTS}/run.sh",
)


def read(sources: Sources) -> Project | None:
    """Return the project of a folder."""
    source = sources.path("go.mod")
    seen = _MODULE.search(sources.text("go.mod"))
    if seen is None:
        return None
    has_tests = any(path.endswith("_test.go") for path in sources.below())
    return Project(
        stack="go",
        title="Go",
        folder=sources.folder,
        source=source,
        name=_MAJOR.sub("", seen["path"]).rpartition("/")[2],
        tests=_tests() if has_tests else None,
        remarks=() if has_tests else (left(f"no *_test.go was found beside {source}"),),
        version=texts.to_version(sources.text("VERSION").strip().removeprefix("v")),
    )


def _tests() -> Tests:
    return Tests(
        tool="gotestsum",
        command=(
            f"{TESTS}/gotestsum",
            f"--junitfile={RESULTS}/junit.xml",
            "--raw-command",
            "--",
            "sh",
            f"{TESTS}/run.sh",
        ),
        environment={"GOVERSION": "of the build"},  # gotestsum would ask the compiler, which is not there
        image="golang:1",
        builder=_BUILDER,
        stage=(f"COPY --from=test-build {TESTS} {TESTS}",),
    )


STACK = Stack(files=("go.mod", "VERSION"), bases=("golang", "go"), read=read)
