"""Threads that decode the same types for the first time."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys, threading
import msgspec
from autoclave.runtime import types

sys.setswitchinterval(1e-6)
RAW = b'{"one":{"x":1},"many":[{"x":2}],"named":{"k":{"x":3}}}'
kinds = []
for _ in range(200):
    inner = msgspec.defstruct("Inner", [("x", int)], module="autoclave.test")
    found = [("one", inner), ("many", list[inner]), ("named", dict[str, inner])]
    kinds.append(msgspec.defstruct("Outer", found, module="autoclave.test"))
types.prepare()
for kind in kinds:
    together = threading.Barrier(4)
    def decode():
        together.wait()
        assert msgspec.json.decode(RAW, type=kind).many[0].x == 2
    threads = [threading.Thread(target=decode) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
"""


def test_threads_may_decode_a_prepared_type_at_once() -> None:
    # In a process of its own: without prepare() it ends with SIGSEGV.
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
