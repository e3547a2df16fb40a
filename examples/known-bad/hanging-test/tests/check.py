"""A test that hangs and ignores SIGTERM."""

import signal
import time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("waiting for a device that never answers", flush=True)
time.sleep(3600)
