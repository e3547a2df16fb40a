"""Draw docs/jenkins-build.png: the description that a closed scan gate leaves at a Jenkins build.

python docs/make_build_picture.py      # needs chromium on PATH

The HTML in the box is what `autoclave jenkins describe --html` writes; the page around it imitates Jenkins
plainly. Signs are drawn, so that the picture does not depend on this machine's fonts.
"""

from __future__ import annotations

import sys
from pathlib import Path

from picture import draw, with_signs

from autoclave.hosts.jenkins.build_description import html
from autoclave.hosts.summary import About
from autoclave.model.status import Gate, GateStatus, Row

PICTURE = Path(__file__).with_name("jenkins-build.png")
_WIDTH = 1200  # CSS pixels; the picture has twice as many

ABOUT = About(
    device="pulse-oximeter",
    version="1.4.0",
    safety_class="B",
    commit="5f0d2f6c5d0e4b7f9a1c3e8d7b6a5948372615f0",
)
REASONS = (  # in the words of the scan gate
    "critical CVE-2026-31812 in libssl3 3.0.15-1~deb12u1 (fixed in 3.0.17-1~deb12u2)",
    "high CVE-2026-28390 in starlette 0.41.2 (fixed in 0.49.1)",
)
_PASSED = (Gate(step="build", state=GateStatus.PASSED), Gate(step="unit-test", state=GateStatus.PASSED))
ROWS = [
    Row(
        image="gateway",
        digest="sha256:9c1e4a7b20d35f68e1b4c7a90d2f5e8b36a1c4d7f09e2b5a8c3d6f1e4b7a0c92",
        gates=(*_PASSED, Gate(step="scan", state=GateStatus.CLOSED, reasons=REASONS)),
    ),
    Row(
        image="sensor",
        digest="sha256:41d07fb3a95c28e6b1f04d9a7c3e8052d6b9f1a4c7e0352b8d6f9a1c4e7b0d35",
        gates=(*_PASSED, Gate(step="scan", state=GateStatus.PASSED)),
    ),
]


def page() -> str:
    """Return the build's page with the description in it."""
    shown = html(ABOUT, ROWS)
    return _PAGE.replace("BODY", with_signs(shown, _SIGNS))


_SIGNS = {
    "✔": '<rect width="16" height="16" rx="3" fill="#1ea64b"/>'
    '<path d="M4 8.5l3 3 5.5-7" fill="none" stroke="#fff" stroke-width="2"/>',
    "✘": '<circle cx="8" cy="8" r="8" fill="#e6001f"/>'
    '<path d="M5 5l6 6M11 5l-6 6" stroke="#fff" stroke-width="2"/>',
    "·": '<path d="M4 8h8" stroke="#9ba7af" stroke-width="2"/>',
}

_PAGE = """<!doctype html><html><head><meta charset="utf-8"><style>
* { box-sizing: border-box }
body { margin: 0; background: #fff; color: #14141f;
  font: 14px/1.5 -apple-system, "Noto Sans", "Liberation Sans", "DejaVu Sans", Arial, sans-serif }
nav { padding: 12px 24px; background: #000; color: #fff; font-size: 15px }
nav b { font-size: 17px; margin-right: 18px }
nav span { color: #b8bcc4; padding: 0 7px }
main { padding: 22px 28px 8px }
h1 { display: flex; align-items: center; gap: 12px; font-size: 24px; font-weight: 600; margin: 0 0 18px }
h1 svg { width: 30px; height: 30px }
h1 small { font-size: 14px; font-weight: 400; color: #5c6670 }
.box { border: 1px solid #dfe3e6; border-radius: 10px; background: #fafbfc; padding: 4px 20px 10px }
h4 { font-size: 18px; font-weight: 600; margin: 14px 0 4px }
p { margin: 0 0 12px; color: #36404a }
p b { color: #14141f }
code { font: 11px/1.5 "DejaVu Sans Mono", Menlo, monospace; overflow-wrap: anywhere }
table { border-collapse: collapse; margin: 0 0 14px; width: 100%; background: #fff }
th, td { border: 1px solid #d4d9de; padding: 7px 10px; text-align: left; vertical-align: top }
th { background: #f1f3f5; font-weight: 600; white-space: nowrap }
td:not(:nth-child(2)) { white-space: nowrap }
ul { margin: -6px 0 14px; padding-left: 22px }
li { margin: 4px 0 }
.sign { width: 15px; height: 15px; vertical-align: -2px }
.facts { display: flex; gap: 34px; padding: 16px 4px 14px; color: #5c6670 }
</style></head><body>
<nav><b>Jenkins</b> devices <span>&rsaquo;</span> pulse-oximeter <span>&rsaquo;</span> #128</nav>
<main><h1><svg viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="none" stroke="#e6001f" stroke-width="1.6"/>
<path d="M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2" stroke="#e6001f" stroke-width="1.6"/></svg>
Build #128 <small>24 Nov 2026, 13:02:11</small></h1>
<div class="box">BODY</div>
<div class="facts"><span>Started by an SCM change</span><span>Took 1 min 43 s on agent-2</span>
<span>Revision 5f0d2f6c5d0e (main)</span></div></main>
"""

if __name__ == "__main__":
    sys.exit(draw(page(), PICTURE, width=_WIDTH))
