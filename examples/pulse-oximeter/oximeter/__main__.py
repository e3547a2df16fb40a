"""Run the service: `python -m oximeter`."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path

import waitress

from oximeter.limits import Limits, UnsafeLimits
from oximeter.service import create
from oximeter.storage import Storage

LARGEST_UPLOAD = 64 * 1024  # bytes that waitress accepts at all; the service itself allows far less


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # process 1 ignores SIGTERM otherwise
    folder = Path(os.environ.get("OXIMETER_DATA", "/var/lib/pulse-oximeter"))
    try:
        app = create(Storage(folder), Limits.read(os.environ), lambda: datetime.now(UTC))
    except (UnsafeLimits, sqlite3.Error) as error:
        sys.exit(f"pulse-oximeter does not start: {error}")
    waitress.serve(
        app, host="0.0.0.0", port=8080, threads=4, ident=None, max_request_body_size=LARGEST_UPLOAD
    )


main()
