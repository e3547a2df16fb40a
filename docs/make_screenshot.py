"""Draw docs/terminal.svg: the live screen of a real run of the sample device.

cd examples/pulse-oximeter; python ../../docs/make_screenshot.py
"""

from __future__ import annotations

import io
import os
from pathlib import Path

from rich.console import Console

from autoclave import pipeline
from autoclave.console.live import LiveScreen
from autoclave.context import Context
from autoclave.scanners.options import ScannerOptions

PICTURE = Path(__file__).with_name("terminal.svg")


def main() -> None:
    """Run the sample with everything forced, then draw what the terminal shows at the end."""
    screen = LiveScreen(Console(file=io.StringIO(), force_terminal=True, width=118, highlight=False))
    scanners = ScannerOptions(
        scanner_command=os.environ["AUTOCLAVE_SCANNER_COMMAND"],
        scanner_cache=os.environ["AUTOCLAVE_SCANNER_CACHE"],
    )
    options = pipeline.Options(environment="staging", again=True, scanners=scanners)
    try:
        pipeline.run(options, Context(options, screen))
    finally:
        screen.close()  # before that, even a traceback would be drawn
    paper = Console(record=True, width=118, file=io.StringIO(), force_terminal=True, highlight=False)
    paper.print("[bold]$ autoclave run --environment staging --again[/bold]")
    for warning in screen.warnings:
        paper.print(f"[yellow]! {warning}[/yellow]")
    paper.print(screen.table())
    PICTURE.write_text(paper.export_svg(title="autoclave run"), "utf-8")


if __name__ == "__main__":
    main()
