"""A page as a picture: headless Chromium, the picture just as high as the page is."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

_WAIT = 60  # seconds
_TELL_HEIGHT = """<script>
document.body.dataset.height = Math.ceil(document.documentElement.getBoundingClientRect().height)
</script></body></html>
"""


def draw(body: str, picture: Path, *, width: int) -> int:
    """Draw a page whose body is still open; return 1, and say so, when there is no browser.

    `width` is CSS pixels; the picture has twice as many.
    """
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        print("chromium is missing: apt-get install chromium")
        return 1
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        _draw(browser, body + _TELL_HEIGHT, picture, width, Path(folder))
    return 0


def with_signs(html: str, signs: dict[str, str]) -> str:
    """Return the HTML with its signs drawn, so that the picture does not depend on this machine's fonts."""
    for sign, drawn in signs.items():
        html = html.replace(sign, f'<svg class="sign" viewBox="0 0 16 16">{drawn}</svg>')
    return html


def _draw(browser: str, page: str, picture: Path, width: int, folder: Path) -> None:
    source = folder / "page.html"
    source.write_text(page, "utf-8")
    argv = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}"]
    argv += ["--hide-scrollbars", "--force-device-scale-factor=2"]
    dumped = subprocess.run(
        [*argv, f"--window-size={width},400", "--dump-dom", source.as_uri()],
        check=True,
        capture_output=True,
        text=True,
        timeout=_WAIT,
    )
    found = re.search(r'data-height="(\d+)"', dumped.stdout)
    if not found:
        raise SystemExit("chromium did not report the height of the page")
    subprocess.run(
        [*argv, f"--window-size={width},{found[1]}", f"--screenshot={picture}", source.as_uri()],
        check=True,
        capture_output=True,
        timeout=_WAIT,
    )
