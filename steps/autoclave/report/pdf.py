"""Print the page to a PDF: headless Chromium, without a network, with a time limit."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from autoclave.errors import ToolError
from autoclave.runtime.shell import Shell

NAMES = ("chromium", "chromium-browser", "google-chrome")
_TIMEOUT = 300  # seconds: some thousand pages

_ALONE = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-extensions",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=127.0.0.1:9",
)


def browser(shell: Shell, chosen: str = "") -> str:
    """Return the Chromium to use: the named one, else the first on PATH. Raises ToolError."""
    for name in (chosen,) if chosen else NAMES:
        if found := shell.which(name):
            return found
    raise ToolError(
        f"{chosen} is missing" if chosen else "Chromium is missing, so no PDF can be printed",
        why=f"none of {', '.join((chosen,) if chosen else NAMES)} is on PATH",
        next="install it (apt-get install chromium), name it with --chromium, or omit --pdf: "
        "any browser can print the HTML page",
    )


def render(shell: Shell, program: str, page: Path) -> bytes:
    """Return a page as PDF. Raises ToolError when Chromium fails or prints nothing."""
    with tempfile.TemporaryDirectory(prefix="autoclave-pdf-", ignore_cleanup_errors=True) as folder:
        made = Path(folder) / "page.pdf"
        argv = [program, *_ALONE, f"--user-data-dir={folder}/profile"]
        if os.geteuid() == 0:
            argv.append("--no-sandbox")  # as root Chromium refuses its sandbox; the page has no script
        argv += ["--no-pdf-header-footer", "--generate-pdf-document-outline", f"--print-to-pdf={made}"]
        shell.run([*argv, page.resolve().as_uri()], timeout=_TIMEOUT)
        raw = made.read_bytes() if made.is_file() else b""
    if not raw.startswith(b"%PDF-"):
        raise ToolError(
            f"{program} printed no PDF",
            why=f"it wrote no PDF file for {page}",
            next="print the page from a browser",
        )
    return raw
