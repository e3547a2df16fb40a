"""The page as a PDF: headless Chromium, without a network, and not for longer than it may take."""

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
    """Return the Chromium to use: the chosen one, else the first on PATH. Raises ToolError."""
    for name in (chosen,) if chosen else NAMES:
        if found := shell.which(name):
            return found
    raise ToolError(
        f"{chosen} is not there" if chosen else "there is no Chromium for the PDF",
        why=f"none of {', '.join((chosen,) if chosen else NAMES)} is on PATH",
        next="install it (apt-get install chromium), name it with --chromium, or leave --pdf out: "
        "the HTML page prints just as well from any browser",
    )


def write(shell: Shell, program: str, page: Path, pdf: Path) -> None:
    """Print a page to a PDF file. Raises ToolError when Chromium fails or makes none."""
    with tempfile.TemporaryDirectory(prefix="autoclave-pdf-", ignore_cleanup_errors=True) as folder:
        made = Path(folder) / "page.pdf"
        argv = [program, *_ALONE, f"--user-data-dir={folder}/profile"]
        if os.geteuid() == 0:
            argv.append("--no-sandbox")  # Chromium refuses to run as root with it; the page holds no script
        argv += ["--no-pdf-header-footer", "--generate-pdf-document-outline", f"--print-to-pdf={made}"]
        shell.run([*argv, page.resolve().as_uri()], timeout=_TIMEOUT)
        raw = made.read_bytes() if made.is_file() else b""
    if not raw.startswith(b"%PDF-"):
        raise ToolError(
            f"{program} printed no PDF", why=f"it left nothing of {page}", next="print it from a browser"
        )
    part = pdf.with_name(f".{pdf.name}.{os.getpid()}")
    part.write_bytes(raw)
    part.replace(pdf)
