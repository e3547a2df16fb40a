"""Write the outputs in docs/kubernetes.md and its pictures from a real cluster.

eval "$(setup/exports.sh)"; python docs/make_kubernetes.py
"""

from __future__ import annotations

import io
import json
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from cluster import deploying  # noqa: E402
from cluster.cluster import Cluster, running  # noqa: E402
from cluster.deploying import GOOD, NEXT, UNHEALTHY, Clinic  # noqa: E402
from integration.devices import Done  # noqa: E402
from integration.registries import with_referrers  # noqa: E402

PAGE = HERE / "kubernetes.md"
QUOTA = """\
apiVersion: v1
kind: ResourceQuota
metadata: {name: small}
spec: {hard: {pods: "3"}}
"""
STRANGER = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "stranger"},
    "spec": {"containers": [{"name": "stranger", "image": f"nginx@sha256:{'0' * 64}"}]},
}


def main() -> None:
    """Run every show on a real cluster, and write page and pictures."""
    with tempfile.TemporaryDirectory() as folder, running() as cluster:
        place = Path(folder)
        for name in ("registry", "copy"):
            (place / name).mkdir()
        with with_referrers(place / "registry") as registry:
            cluster.reach(int(registry.rpartition(":")[2]))
            cluster.kubectl("create", "namespace", "clinic")
            made = deploying.released(registry, place / "made")
            shows = shown(cluster, deploying.clinic(made, cluster, "clinic", place / "copy", timeout=90))
    page = PAGE.read_text("utf-8")
    for name, text in shows.items():
        page = re.sub(
            rf"<!-- {name} -->\n(?:\n```text\n.*?```\n)?",
            lambda _, name=name, text=text: f"<!-- {name} -->\n\n```text\n{text}\n```\n",
            page,
            flags=re.DOTALL,
        )
    PAGE.write_text(page, "utf-8")
    for name in ("deploy", "stalled", "admission"):
        draw(shows[name], HERE / f"kubernetes-{name}.svg")


def shown(cluster: Cluster, clinic: Clinic) -> dict[str, str]:
    """Return what each command printed, by the name of its place in the page."""
    clinic.deploy(GOOD)
    found = {"deploy": told("autoclave deploy demo", clinic.deploy(NEXT))}
    found["status"] = told("autoclave status demo", clinic.autoclave("status", "demo"))
    clinic.repository.edit("autoclave.toml", "timeout = 90", "timeout = 10")
    found["stalled"] = told("autoclave deploy demo", clinic.deploy(UNHEALTHY))
    clinic.repository.edit("autoclave.toml", "timeout = 10", "timeout = 90")
    why = "alarms come late since 1.1.0"
    done = clinic.autoclave("rollback", "demo", "--reason", why)
    found["rollback"] = told(f"autoclave rollback demo --reason '{why}'", done)
    cluster.kubectl("apply", "-n", "clinic", "-f-", stdin=QUOTA)
    found["quota"] = told("autoclave deploy demo", clinic.deploy(NEXT))
    exported = clinic.autoclave("policy", "export", "--kubernetes", "demo")
    cluster.kubectl("apply", "--server-side", "-f-", stdin=exported.out)
    words = ("apply", "--dry-run=server", "-n", "clinic", "-f-")
    stranger = json.dumps(STRANGER)
    cluster.wait("the policy", 30, lambda: "verified" in cluster.tried(*words, stdin=stranger).stderr)
    said = cluster.tried(*words, stdin=stranger).stderr.strip()
    found["admission"] = (
        "$ autoclave policy export --kubernetes demo | kubectl apply --server-side -f-\n"
        "$ kubectl apply -f stranger.yaml\n" + folded(said)
    )
    return found


def told(command: str, done: Done) -> str:
    """Return a command and what it printed, lines folded."""
    return folded(f"$ {command}\n{done.err}{done.out}".strip())


def folded(text: str) -> str:
    """Fold long lines at words."""
    lines = []
    for line in text.splitlines():
        while len(line) > 118:
            cut = line.rfind(" ", 40, 118)
            cut = cut if cut > 0 else 118
            lines.append(line[:cut])
            line = "      " + line[cut:].lstrip()  # noqa: PLW2901 -- what is left of it
        lines.append(line)
    return "\n".join(lines)


def draw(text: str, picture: Path) -> None:
    """Draw a terminal's text."""
    paper = Console(record=True, width=120, file=io.StringIO(), force_terminal=True, highlight=False)
    for line in text.splitlines():
        style = "bold" if line.startswith("$") else "red" if "CLOSED" in line or "autoclave:" in line else ""
        paper.print(Text(line, style=style))
    picture.write_text(paper.export_svg(title="autoclave"), "utf-8")


if __name__ == "__main__":
    main()
