"""Print how ./demo ends: what just happened, what to try next, and the addresses that a browser opens.

Usage: ending.py SAMPLE_FOLDER ENVIRONMENT SECONDS
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from observe import port


def ending(root: Path, sample: Path, at: int, seconds: int) -> str:
    """Return five lines. Paths are quoted for a shell, and the report's for a browser."""
    report = sample / ".autoclave" / "reports" / "gateway" / "release.html"
    enter = f". {shlex.quote(str(root / 'setup' / 'env.sh'))} && cd {shlex.quote(str(sample))}"
    lines = {
        "What happened": "a commit was built, tested, scanned and signed; exactly that image runs here now"
        f" ({seconds} s)",
        "Try next": f"{enter} && autoclave status",
        "Your own device": "in its repository: autoclave init, then autoclave run",
        "What was recorded": f"{report.as_uri()}  (the report that an auditor reads)",
        "What runs": f"http://127.0.0.1:{at}/  (readings and alarms; docker ps lists its container)",
    }
    return "".join(f"{name + ':':<18} {text}\n" for name, text in lines.items())


if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve()
    published = port(folder / "autoclave.toml", sys.argv[2])
    sys.stdout.write("\n" + ending(Path(__file__).resolve().parents[1], folder, published, int(sys.argv[3])))
