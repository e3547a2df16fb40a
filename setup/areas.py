"""Which tests to run for an area or for a change, and what they need. Reads tests/areas.toml.

areas.py names                  every area
areas.py tests AREA...          the files to hand to pytest
areas.py needs AREA...          what set-up must bring
areas.py changed [REVISION]     the areas that a change touches, with reasons on stderr (default: HEAD~1)
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
# A change to one of these can change how any test runs: all tests use the command line.
EVERYTHING = (
    "check", "pyproject.toml", "requirements.lock", "setup/", "steps/autoclave/cli/main.py",
    "tests/conftest.py", "tests/areas.toml",
)  # fmt: skip
# Checked by the style checks, the unit and contract tests, and the build of the site: each ./check has them.
NOTHING = (
    "docs/",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/",
    "mkdocs.yml",
    "setup/site",
    "setup/ending.py",
    "tests/unit/",
    "tests/contract/",
)


@dataclass(frozen=True)
class Area:
    """What tests/areas.toml says about an area."""

    name: str
    tests: tuple[str, ...]
    needs: tuple[str, ...]
    code: tuple[str, ...]
    uses: tuple[str, ...]

    def has_test(self, path: str) -> bool:
        """Return whether a file of tests belongs to the area."""
        return any(path == f"tests/{each}" or path.startswith(f"tests/{each}/") for each in self.tests)

    def reads(self, path: str) -> str:
        """Return which of the area's folders contains a file; empty when none does."""
        return next((each for each in self.uses if path == each or path.startswith(f"{each}/")), "")


def areas(text: str) -> dict[str, Area]:
    """Return the areas by name."""
    return {
        name: Area(name, *(tuple(said.get(key, ())) for key in ("tests", "needs", "code", "uses")))
        for name, said in tomllib.loads(text).items()
    }


def module(path: str) -> str:
    """Return the module of a file in steps/ or tests/; empty for any other file."""
    folder, _, rest = path.partition("/")
    if folder not in {"steps", "tests"} or not rest.endswith(".py"):
        return ""
    return rest.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(name: str, source: str, *, is_package: bool) -> set[str]:
    """Return what a module imports anywhere in it; `from a import b` may mean the module a.b.

    A module named in a string ("cli.commands.vex", "package.module:name") is loaded by that name.
    What a file does only when it is run as a script is ignored.
    """
    found = set()
    package = name if is_package else name.rpartition(".")[0]
    tree = ast.parse(source)
    tree.body = [each for each in tree.body if not _is_script_foot(each)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            found |= {base} | {f"{base}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            loaded = node.value.partition(":")[0]
            found |= {loaded, f"autoclave.{loaded}"} if "." in loaded else set()
    return found


def _is_script_foot(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in {
        each.id for each in ast.walk(node.test) if isinstance(each, ast.Name)
    }


def graph(root: Path) -> dict[str, set[str]]:
    """Return which module imports which, in the package and the tests; others are left out."""
    files = [*(root / "steps").rglob("*.py"), *(root / "tests").rglob("*.py")]
    named = {module(path.relative_to(root).as_posix()): path for path in files}
    arrows = {}
    for name, path in named.items():
        source, is_package = path.read_text("utf-8"), path.name == "__init__.py"
        found = imports(name, source, is_package=is_package)
        if (
            is_package and "Plugins(" in source and "folders=__path__" in source
        ):  # loads whatever is in its folder, by name
            found |= {each for each in named if each.rpartition(".")[0] == name}
        if ".test_" in name:
            found.add(f"{name.rpartition('.')[0]}.conftest")  # pytest's, without an import
        arrows[name] = found & named.keys() - {name}
    steps = {f"autoclave.{each}" for each in _steps(root / "steps" / "autoclave" / "model" / "steps.py")}
    for loading in ("autoclave.pipeline", "autoclave.cli.commands.step"):  # by name
        arrows[loading] |= steps & named.keys()
    return arrows


def _steps(table: Path) -> set[str]:
    """Return the modules of the steps: `name="unit-test"` in the table is unit_test.py."""
    calls = [each for each in ast.walk(ast.parse(table.read_text("utf-8"))) if isinstance(each, ast.Call)]
    words = [word for call in calls if getattr(call.func, "id", "") == "Step" for word in call.keywords]
    return {
        str(word.value.value).replace("-", "_")
        for word in words
        if word.arg == "name" and isinstance(word.value, ast.Constant)
    }


def importers(arrows: dict[str, set[str]], changed: str) -> set[str]:
    """Return the modules that import a module, directly or by others, and the module itself.

    Not through the command line, which loads each command only when it is called.
    """
    found, left = {changed}, [changed]
    while left:
        name = left.pop()
        if name == "autoclave.cli.main":
            continue
        new = {each for each, targets in arrows.items() if name in targets} - found
        found |= new
        left += new
    return found


def areas_touched(path: str, known: Iterable[Area], arrows: dict[str, set[str]]) -> dict[str, str]:
    """Return the areas that a changed file touches, each with the reason. Pure."""
    every = {area.name: area for area in known}
    if path.startswith(EVERYTHING) and not any(area.reads(path) for area in every.values()):
        return dict.fromkeys(every, "how tests run has changed")
    reasons = {name: f"reads {area.reads(path)}" for name, area in every.items() if area.reads(path)}
    reasons |= {name: "is one of its tests" for name, area in every.items() if area.has_test(path)}
    if path.startswith(NOTHING) or (reasons and not module(path)):
        return reasons
    if not module(path):
        return {} if PurePosixPath(path).suffix == ".md" else dict.fromkeys(every, "no area lists it")
    for importer in sorted(importers(arrows, module(path))):
        for name, area in every.items():
            if any(f"{importer}.".startswith(f"{each}.") for each in area.code):
                reasons.setdefault(name, f"{importer} imports it")
            if area.has_test(f"tests/{importer.replace('.', '/')}.py"):
                reasons.setdefault(name, f"its test {importer} imports it")
    return reasons or dict.fromkeys(every, "no area covers it")


def _changed_files(revision: str) -> list[str]:
    argv = ["git", "-C", str(ROOT), "diff", "--name-only", "-z", "--no-renames", revision, "--"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        why = done.stderr.strip()
        raise SystemExit(f"error: git cannot list the changes\n  why:  {why}\n  next: name another revision")
    new = ["git", "-C", str(ROOT), "ls-files", "--others", "--exclude-standard", "-z"]
    added = subprocess.run(new, capture_output=True, text=True, check=True).stdout
    return [each for each in f"{done.stdout}{added}".split("\0") if each]


def _select(known: dict[str, Area], names: Iterable[str]) -> list[Area]:
    unknown = [name for name in names if name not in known]
    if unknown:
        why = f"the areas are {', '.join(known)}"
        raise SystemExit(f"error: unknown area {unknown[0]}\n  why:  {why}\n  next: name one of them")
    return [known[name] for name in names]


def _print_changed(known: dict[str, Area], revision: str) -> None:
    arrows = graph(ROOT)
    found: dict[str, str] = {}
    for path in _changed_files(revision):
        is_gone = module(path) and not (ROOT / path).exists()  # whatever imported it was changed as well
        reasons = {} if is_gone else areas_touched(path, known.values(), arrows)
        for name, reason in reasons.items():
            found.setdefault(name, f"{path}: {reason}")
        if not reasons:
            sys.stderr.write(f"    {path}: style checks, unit and contract tests cover it\n")
    for name in filter(found.__contains__, known):
        sys.stderr.write(f"    {name}: {found[name]}\n")
        sys.stdout.write(f"{name}\n")


def main(words: list[str]) -> None:
    """Print the answer to one question on stdout, one name per line."""
    known = areas((ROOT / "tests" / "areas.toml").read_text("utf-8"))
    match words:
        case ["names"]:
            lines = list(known)
        case ["tests", *names]:
            lines = [f"tests/{each}" for area in _select(known, names) for each in area.tests]
        case ["needs", *names]:
            lines = list(dict.fromkeys(each for area in _select(known, names) for each in area.needs))
        case ["changed", *revision] if len(revision) < 2:
            _print_changed(known, *revision or ["HEAD~1"])
            return
        case _:
            raise SystemExit(__doc__)
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main(sys.argv[1:])
