"""Writers in several processes, some killed at any moment: the store stays whole and loses nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autoclave.errors import Busy
from autoclave.model.digest import digest_of
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import LAYER, MANIFEST, Descriptor

KILLS = 25
LIMIT = 10.0  # seconds spent killing, at most
STEPS = Path(__file__).parents[2] / "steps"

# Prints each record only after `attach` returned: what is printed must be in the store for good.
WRITER = """
import sys
from pathlib import Path
from autoclave.store.layout import LayoutStore
store = LayoutStore(Path(sys.argv[1]))
image = store.tags()["app"]
for turn in range(int(sys.argv[3])):
    content = f"{sys.argv[2]} {turn} ".encode() * 40_000
    layer = store.write([content[:9], content[9:]], media_type="application/vnd.dsse.envelope.v1+json")
    record = store.attach(image, artifact_type="application/x", layers=[layer], annotations={})
    print(record.digest, flush=True)
    store.tag(f"name-{sys.argv[2]}", record)
"""
HOLDER = """
import sys, time
from pathlib import Path
from autoclave.runtime.folder import Folder
from autoclave.store.layout.lock import hold_lock
with hold_lock(Folder(Path(sys.argv[1])), ".lock", timeout=5, what="the store"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    store = LayoutStore(tmp_path / "store")
    raw = b'{"schemaVersion":2,"config":{"mediaType":"x","digest":"","size":0},"layers":[]}'
    store.tag("app", store.write([raw], media_type=MANIFEST))
    return store


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(STEPS)},
    )


def whole(store: LayoutStore, image: Descriptor) -> set[str]:
    """Everything that is listed can be read and verified; no blob is half written."""
    records = {record.digest for record in store.referrers(image.digest)}
    for path in (store.root / "blobs" / "sha256").iterdir():
        assert digest_of(path.read_bytes()) == f"sha256:{path.name}"
    for digest in records:
        assert all(store.has(layer["digest"]) for layer in json.loads(store.read(digest))["layers"])
    return records


def test_writers_killed_at_any_moment_leave_a_whole_store(store: LayoutStore) -> None:
    image = store.tags()["app"]
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    promised: set[str] = set()
    end = time.monotonic() + LIMIT
    kills = 0
    while kills < KILLS and time.monotonic() < end:
        with start(WRITER, store.root, f"w{kills}", 10_000) as writer:
            assert writer.stdout is not None
            promised.add(writer.stdout.readline().strip())  # it is at work now
            time.sleep(rng.uniform(0, 0.03))
            writer.send_signal(signal.SIGKILL)
            promised |= {line.strip() for line in writer.stdout if line.endswith("\n")}
        kills += 1
        reopened = LayoutStore(store.root, lock_timeout=1)
        assert promised <= whole(reopened, image), f"seed {seed}, kill {kills}"
        assert list((store.root / ".tmp").iterdir()) == [], "leftovers are swept"
    assert kills >= 3
    reopened.tag("still-writable", image)


def test_processes_at_once_lose_nothing(store: LayoutStore) -> None:
    image = store.tags()["app"]
    writers = [start(WRITER, store.root, number, 15) for number in range(4)]
    promised: set[str] = set()
    for writer in writers:
        output, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0
        promised |= set(output.split())
    assert len(promised) == 60
    assert whole(store, image) == promised
    assert set(store.tags()) == {"app", "name-0", "name-1", "name-2", "name-3"}


def test_a_lock_held_elsewhere_names_its_process_and_dies_with_it(store: LayoutStore) -> None:
    image = store.tags()["app"]
    with start(HOLDER, store.root) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Busy, match=f"process {holder.pid}"):
            LayoutStore(store.root, lock_timeout=0.1).tag("late", image)
        holder.kill()
    LayoutStore(store.root, lock_timeout=0.1).tag("late", image)


def test_a_running_writers_files_survive_another_opening(store: LayoutStore) -> None:
    def content() -> list[bytes]:
        LayoutStore(store.root)
        return [b"still ", b"here"]

    chunks = (chunk for part in (content,) for chunk in part())
    assert store.read(store.write(chunks, media_type=LAYER).digest) == b"still here"
