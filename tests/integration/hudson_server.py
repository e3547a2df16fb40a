"""A real Hudson 1.398 on a loopback port, with accounts, permissions and crumbs.

It is the Jenkins of 2011: jobs, parameters, builds, logs, descriptions, crumbs and permissions are its own.
It has no folders, no pipelines, no queue items by address and no API tokens (a password stands in for one).
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builders.devices import free_port, program

PASSWORDS = {"bot": "a-secret-of-the-bot", "reader": "a-secret-of-the-reader"}
# It does not announce itself on the network: that never ends where the machine's name has no address, as with
# the names that workers have.
_ALONE = "-Dhudson.DNSMultiCast.disabled=true"
_CONFIG = """\
<?xml version='1.0' encoding='UTF-8'?>
<hudson>
  <numExecutors>2</numExecutors>
  <quietPeriod>0</quietPeriod>
  <useSecurity>true</useSecurity>
  <authorizationStrategy class="hudson.security.GlobalMatrixAuthorizationStrategy">
    <permission>hudson.model.Hudson.Administer:bot</permission>
    <permission>hudson.model.Hudson.Read:reader</permission>
    <permission>hudson.model.Item.Read:reader</permission>
  </authorizationStrategy>
  <securityRealm class="hudson.security.HudsonPrivateSecurityRealm">
    <disableSignup>true</disableSignup>
  </securityRealm>
  <crumbIssuer class="hudson.security.csrf.DefaultCrumbIssuer"/>
</hudson>
"""
_USER = """\
<user><fullName>{name}</fullName><properties>
  <hudson.security.HudsonPrivateSecurityRealm_-Details>
    <passwordHash>salt:{digest}</passwordHash>
  </hudson.security.HudsonPrivateSecurityRealm_-Details>
</properties></user>
"""


@dataclass
class Hudson:
    """A server that answers, and how long it took to."""

    url: str
    home: Path
    seconds: float


@contextmanager
def serve(home: Path) -> Iterator[Hudson]:
    """Run Hudson until the end of the block."""
    home.mkdir()
    (home / "config.xml").write_text(_CONFIG, "utf-8")
    for name, password in PASSWORDS.items():
        digest = hashlib.sha256(f"{password}{{salt}}".encode()).hexdigest()
        (home / "users" / name).mkdir(parents=True)
        (home / "users" / name / "config.xml").write_text(_USER.format(name=name, digest=digest), "utf-8")
    port = free_port()
    begun = time.monotonic()
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [program("hudson", "AUTOCLAVE_HUDSON"), str(home), str(port)],
            env=os.environ | {"JAVA_TOOL_OPTIONS": _ALONE},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}/"
        _wait(url, process, home / "log")
        yield Hudson(url, home, time.monotonic() - begun)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # it runs builds in processes of its own
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 300
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}login", timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()  # 503 while it starts
        except OSError:
            pass
        else:
            return
        time.sleep(0.1)
    raise AssertionError(f"Hudson does not start:\n{log.read_text('utf-8', 'replace')[-3000:]}")
