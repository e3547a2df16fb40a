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

from builders.devices import CommandResult  # noqa: E402
from builders.registries import serve_with_referrers  # noqa: E402
from cluster import clinics  # noqa: E402
from cluster.clinics import GOOD, NEXT, UNHEALTHY, Clinic  # noqa: E402
from cluster.cluster import Cluster, start  # noqa: E402

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
    with tempfile.TemporaryDirectory() as folder, start() as cluster:
        place = Path(folder)
        for name in ("registry", "copy"):
            (place / name).mkdir()
        with serve_with_referrers(place / "registry") as registry:
            cluster.reach(int(registry.rpartition(":")[2]))
            cluster.kubectl("create", "namespace", "clinic")
            made = clinics.release_versions(registry, place / "made")
            shows = run_commands(
                cluster, clinics.make_clinic(made, cluster, "clinic", place / "copy", timeout=90)
            )
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


def run_commands(cluster: Cluster, clinic: Clinic) -> dict[str, str]:
    """Return what each command printed, by the name of its place in the page."""
    clinic.deploy(GOOD)
    found = {"deploy": format_command("autoclave deploy demo", clinic.deploy(NEXT))}
    found["status"] = format_command("autoclave status demo", clinic.autoclave("status", "demo"))
    clinic.repository.edit("autoclave.toml", "timeout = 90", "timeout = 10")
    found["stalled"] = format_command("autoclave deploy demo", clinic.deploy(UNHEALTHY))
    clinic.repository.edit("autoclave.toml", "timeout = 10", "timeout = 90")
    why = "alarms come late since 1.1.0"
    done = clinic.autoclave("rollback", "demo", "--reason", why)
    found["rollback"] = format_command(f"autoclave rollback demo --reason '{why}'", done)
    cluster.kubectl("apply", "-n", "clinic", "-f-", stdin=QUOTA)
    found["quota"] = format_command("autoclave deploy demo", clinic.deploy(NEXT))
    exported = clinic.autoclave("policy", "export", "--kubernetes", "demo")
    cluster.kubectl("apply", "--server-side", "-f-", stdin=exported.out)
    words = ("apply", "--dry-run=server", "-n", "clinic", "-f-")
    stranger = json.dumps(STRANGER)
    cluster.wait("the policy", 30, lambda: "verified" in cluster.try_kubectl(*words, stdin=stranger).stderr)
    said = cluster.try_kubectl(*words, stdin=stranger).stderr.strip()
    found["admission"] = (
        "$ autoclave policy export --kubernetes demo | kubectl apply --server-side -f-\n"
        "$ kubectl apply -f stranger.yaml\n" + fold(said)
    )
    return found


def format_command(command: str, done: CommandResult) -> str:
    """Return a command and what it printed, lines folded."""
    return fold(f"$ {command}\n{done.err}{done.out}".strip())


def fold(text: str) -> str:
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
