"""Run the service: `python -m monitoring`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from datetime import UTC, datetime

from monitoring.service import server
from monitoring.storage import UNAVAILABLE, Address, Storage

_PATIENCE = 60  # seconds in which the database must have come up
_PAUSE = 1.0


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # process 1 ignores SIGTERM otherwise
    try:
        storage = Storage(Address.read(os.environ))
    except (KeyError, ValueError) as error:
        sys.exit(f"remote-monitoring does not start: {error} is missing or malformed")
    migrated(storage)
    server(storage, lambda: datetime.now(UTC), port=8080).serve_forever()


def migrated(storage: Storage) -> None:
    """Bring the schema up to date, waiting for the database to come up."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            logging.info("migrations applied: %d", len(storage.migrate()))
        except UNAVAILABLE as error:
            if time.monotonic() > deadline:
                sys.exit(f"remote-monitoring does not start: the database: {type(error).__name__}")
            logging.info("waiting for the database")
            time.sleep(_PAUSE)
        else:
            return


main()
