"""Real registries for tests, each on a port of its own, and small images to put into them."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from autoclave.store.layout import LayoutStore
from autoclave.store.registry.auth import Credentials
from autoclave.store.registry.store import RegistryStore
from builders.devices import free_port, program

USER, PASSWORD = "ci", "s3cret-pass/word+1"


@contextmanager
def serve_debian(
    folder: Path, more: str = "", *, host: str = "127.0.0.1", tls: str = "", deletes: bool = True
) -> Iterator[str]:
    """Run Debian's registry with its storage in `folder`/data; `more` and `tls` are lines of its settings."""
    address, delete = f"{host}:{free_port()}", str(deletes).lower()
    (folder / "config.yml").write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}, delete: {{enabled: {delete}}}}}\n"
        f'http: {{addr: "{address}"{tls}}}\n{more}'
    )
    argv = [program("docker-registry"), "serve", str(folder / "config.yml")]
    with _serve(argv, f"{'https' if tls else 'http'}://{address}/v2/", folder):
        yield address


def password_file(folder: Path) -> None:
    """Write the one user's password as the registry reads it, to `folder`/htpasswd."""
    argv = [program("htpasswd"), "-Bbn", USER, PASSWORD]
    (folder / "htpasswd").write_bytes(subprocess.run(argv, check=True, capture_output=True).stdout)


@contextmanager
def serve_with_password(folder: Path) -> Iterator[str]:
    """Run Debian's registry for one user."""
    password_file(folder)
    with serve_debian(
        folder, f"auth: {{htpasswd: {{realm: test, path: {folder / 'htpasswd'}}}}}\n"
    ) as address:
        yield address


@contextmanager
def serve_with_referrers(folder: Path) -> Iterator[str]:
    """Run go-containerregistry's registry, which has the referrers API."""
    address = f"127.0.0.1:{free_port()}"
    argv = [program("registry", "AUTOCLAVE_TEST_REGISTRY"), "-address", address, "-folder", str(folder)]
    with _serve(argv, f"http://{address}/v2/", folder):
        yield address


@contextmanager
def _serve(argv: list[str], url: str, folder: Path) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(url, timeout=1).close()
                break
            except urllib.error.HTTPError as error:  # it answers, even if it wants a password
                error.close()
                break
            except OSError as error:
                if "CERTIFICATE_VERIFY_FAILED" in str(error):
                    break
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def no_credentials(_: str) -> Credentials | None:
    """Have no credentials."""
    return None


def user_credentials(_: str) -> Credentials | None:
    """Have the right ones."""
    return Credentials(user=USER, password=PASSWORD, source="the test")


def open_store(
    address: str,
    cache: Path,
    credentials: Callable[[str], Credentials | None] = no_credentials,
    repository: str = "devices/app",
    waited: list[float] | None = None,
    hurry: float = 100,
) -> RegistryStore:
    """Open a repository; it waits a hundredth of what it would, and says in `waited` how long it was to wait.

    `hurry` is another part: one writer among many needs the time that it is given on a busy machine.
    """

    def sleep(seconds: float) -> None:
        if waited is not None:
            waited.append(seconds)
        time.sleep(seconds / hurry)

    return RegistryStore(f"oci://{address}/{repository}", LayoutStore(cache), credentials, sleep=sleep)
