"""Run the service: `python -m monitoring`. It waits for its database, brings the schema up to date, and serves."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from datetime import UTC, datetime

from monitoring.service import log, server
from monitoring.settings import MissingSetting, Settings
from monitoring.storage import Storage, Unavailable

_PATIENCE = 60  # seconds for the database to come up; then the orchestrator starts us again


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # process 1 ignores SIGTERM otherwise
    try:
        storage = Storage(Settings.read(os.environ))
        _prepare(storage)
    except (MissingSetting, Unavailable) as error:
        sys.exit(f"remote-monitoring does not start: {error}")
    server(storage, lambda: datetime.now(UTC), ("", 8080)).serve_forever()


def _prepare(storage: Storage) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            log.info("migrations applied: %s", storage.prepare() or "none were missing")
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


main()
