"""Send one reading to the deployed sample device, read it back as FHIR, find its alarm on the page.

Usage: observe.py DEVICE_FILE ENVIRONMENT. Prints each request as the curl command that repeats it.
Exits 1 with a message when the device does not answer as it should.
"""

from __future__ import annotations

import http.client
import json
import shlex
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def port(device_file: Path, environment: str) -> int:
    """Return the TCP port that the environment publishes for its one image."""
    device = tomllib.loads(device_file.read_text())
    published = next(e["publish"] for e in device["environment"] if e["name"] == environment)
    return int(next(iter(published.values())))


def send(at: int, method: str, path: str, body: dict[str, object] | None = None) -> str:
    """Send one request to the device, print it as a command, return the answer's text."""
    line = ["curl", "-s", f"http://127.0.0.1:{at}{path}"]
    if body is not None:
        line += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    print(f"\n$ {shlex.join(line)}")
    connection = http.client.HTTPConnection("127.0.0.1", at, timeout=10)
    connection.request(
        method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"}
    )
    response = connection.getresponse()
    text = response.read().decode()
    if response.status not in {200, 201}:
        raise ValueError(f"{method} {path} answered {response.status}: {text[:300]}")
    return text


def ask(at: int, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, Any]:
    """Send one request to the device, print it and the answer, return the answer's JSON object."""
    answer = json.loads(send(at, method, path, body))
    print(json.dumps(answer, indent=2))
    return dict(answer)


def find_alarm(at: int, kind: str) -> None:
    """Fetch the page for staff, and raise ValueError when it does not show an alarm of this kind."""
    page = send(at, "GET", "/")
    if kind not in page:
        raise ValueError(f"GET / answered a page without {kind}, the alarm of this reading")
    print(f"a page of {len(page)} characters, with the alarm {kind}")


def main(device_file: str, environment: str) -> None:
    """Post a reading with a low oxygen saturation, fetch its Observation, find its alarm on the page."""
    try:
        at = port(Path(device_file), environment)
        taken = datetime.now(UTC).isoformat(timespec="milliseconds")
        reading: dict[str, object] = {
            "device": "OX-000042", "patient": "demo", "taken": taken, "spo2": 88, "pulse": 71,
        }  # fmt: skip
        stored = ask(at, "POST", "/readings", reading)
        first = next(iter(stored["observations"]))
        ask(at, "GET", f"/fhir/Observation/{first}")
        find_alarm(at, "spo2-low")
    except (OSError, http.client.HTTPException, ValueError, LookupError, StopIteration) as error:
        sys.exit(
            f"error: the deployed device does not answer as it should\n  why:  {error}\n"
            "  next: run autoclave status, and docker logs with its container"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
