"""Draw docs/merge-request-note.png: the note that a closed scan gate leaves at a merge request.

python docs/make_note_picture.py      # needs chromium on PATH

The Markdown is what `autoclave gitlab note` writes; the page around it imitates GitLab plainly. Emoji are
drawn, as GitLab does, so that the picture does not depend on this machine's fonts.
"""

from __future__ import annotations

import sys
from pathlib import Path

from markdown_it import MarkdownIt
from picture import draw, with_signs

from autoclave.hosts.gitlab.merge_request_note import render
from autoclave.hosts.summary import About
from autoclave.model.status import Gate, GateStatus, Row

PICTURE = Path(__file__).with_name("merge-request-note.png")
_WIDTH = 980  # CSS pixels; the picture has twice as many

ABOUT = About(
    device="pulse-oximeter",
    version="1.4.0",
    safety_class="B",
    commit="5f0d2f6c5d0e4b7f9a1c3e8d7b6a5948372615f0",
    pipeline="https://gitlab.example.com/acme/pulse-oximeter/-/pipelines/4711",
)
REASONS = (  # in the words of the scan gate
    "critical CVE-2026-31812 in libssl3 3.0.15-1~deb12u1 (fixed in 3.0.17-1~deb12u2)",
    "high CVE-2026-28390 in starlette 0.41.2 (fixed in 0.49.1)",
)
ROWS = [
    Row(
        image="gateway",
        digest="sha256:9c1e4a7b20d35f68e1b4c7a90d2f5e8b36a1c4d7f09e2b5a8c3d6f1e4b7a0c92",
        gates=(
            Gate(step="build", state=GateStatus.PASSED),
            Gate(step="unit-test", state=GateStatus.PASSED),
            Gate(step="scan", state=GateStatus.CLOSED, reasons=REASONS),
            Gate(step="sign", state=GateStatus.NONE),
        ),
    )
]


def page() -> str:
    """Return the note as a page."""
    html = MarkdownIt("commonmark").enable("table").render(render(ABOUT, ROWS))
    return _PAGE.replace("BODY", with_signs(html, _SIGNS))


_SIGNS = {
    "✅": '<rect width="16" height="16" rx="3" fill="#4aa564"/>'
    '<path d="M4 8.5l3 3 5.5-7" fill="none" stroke="#fff" stroke-width="2"/>',
    "❌": '<path d="M3 3l10 10M13 3L3 13" stroke="#d4351c" stroke-width="3.4"/>',
    "⛔": '<circle cx="8" cy="8" r="8" fill="#d4351c"/><path d="M3.5 8h9" stroke="#fff" stroke-width="3"/>',
    "⚪": '<circle cx="8" cy="8" r="6.5" fill="#eceaf0" stroke="#bfbfc3" stroke-width="1.4"/>',
}

_PAGE = """<!doctype html><html><head><meta charset="utf-8"><style>
* { box-sizing: border-box }
body { margin: 0; padding: 20px; background: #fff; color: #28272d;
  font: 14px/1.5 -apple-system, "Noto Sans", "Liberation Sans", "DejaVu Sans", Arial, sans-serif }
article { display: flex; gap: 12px }
.avatar { flex: none; width: 32px; height: 32px; border-radius: 50%; background: #5943b6; color: #fff;
  font-weight: 600; text-align: center; line-height: 32px }
.note { flex: 1; border: 1px solid #dcdcde; border-radius: 8px; overflow: hidden }
header { padding: 9px 16px; border-bottom: 1px solid #ececef; color: #626168 }
header b { color: #28272d }
.badge { float: right; border: 1px solid #dcdcde; border-radius: 10px; padding: 0 8px; font-size: 12px }
.md { padding: 4px 16px 10px }
h3 { font-size: 18px; font-weight: 600; margin: 14px 0 12px }
p { margin: 0 0 12px }
code { font: 12.6px/1.5 "DejaVu Sans Mono", Menlo, monospace; background: #ececef; border-radius: 4px;
  padding: 2px 4px; overflow-wrap: anywhere }
h3 code { font-size: 16px }
table { border-collapse: collapse; margin: 0 0 14px; width: 100% }
th, td { border: 1px solid #dcdcde; padding: 8px 10px; white-space: nowrap }
th { background: #fbfafd; border-bottom-width: 2px; font-weight: 600; text-align: left }
ul { margin: 0 0 14px; padding-left: 22px }
li { margin: 5px 0 }
hr { border: 0; border-top: 2px solid #ececef; margin: 14px 0 12px }
a { color: #0b5cad; text-decoration: none }
hr + p { color: #626168; font-size: 13px; margin-bottom: 4px }
.sign { width: 15px; height: 15px; vertical-align: -2px }
</style></head><body><article><div class="avatar">A</div><div class="note">
<header><b>autoclave-bot</b> @autoclave-bot · 2 minutes ago <span class="badge">Developer</span></header>
<div class="md">BODY</div></div></article>
"""

if __name__ == "__main__":
    sys.exit(draw(page(), PICTURE, width=_WIDTH))
