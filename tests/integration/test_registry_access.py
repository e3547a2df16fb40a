"""Who may use a registry, and whether it is the right one: passwords, tokens, helpers, certificates."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoclave.errors import StoreError, ToolError
from autoclave.runtime.shell import Shell
from autoclave.store.layout import LayoutStore
from autoclave.store.registry.auth import Credentials, find_credentials
from autoclave.store.registry.store import RegistryStore
from builders.registries import (
    PASSWORD,
    USER,
    no_credentials,
    open_store,
    program,
    serve_debian,
    serve_with_password,
    serve_with_referrers,
    user_credentials,
)
from builders.sample_image import write_image
from doubles.faulty_registry import FaultyRegistry, serve_faulty

PAIR = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
TOKEN = "identity-token-0123456789"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_with_password(tmp_path_factory.mktemp("locked")) as address:
        yield address


@pytest.fixture(scope="module")
def behind_tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyRegistry]:
    users = {USER: PASSWORD, "<token>": TOKEN}
    with (
        serve_with_referrers(tmp_path_factory.mktemp("free")) as address,
        serve_faulty(address, token=users) as server,
    ):
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who is logged in nowhere."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "CI_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "docker").mkdir()
    return tmp_path / "docker"


def store_of_user(address: str, cache: Path, shell: Shell) -> RegistryStore:
    return open_store(address, cache, lambda host: find_credentials(host, shell))


def test_the_login_of_docker_opens_the_registry(locked: str, home: Path, tmp_path: Path) -> None:
    (home / "config.json").write_text(json.dumps({"auths": {locked: {"auth": PAIR}}}))
    shell = Shell()
    image = write_image(store_of_user(locked, tmp_path / "c", shell))
    assert store_of_user(locked, tmp_path / "d", shell).find_image(image.digest) == image
    assert PASSWORD not in shell.mask(f"password {PASSWORD}")


def test_the_variables_of_gitlab_ci_open_the_registry(
    locked: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("", locked), ("_USER", USER), ("_PASSWORD", PASSWORD)):
        monkeypatch.setenv(f"CI_REGISTRY{name}", value)
    assert write_image(store_of_user(locked, tmp_path / "c", Shell())).size
    assert home.is_dir()


def helper(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "docker-credential-test"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


@pytest.mark.parametrize("setting", ["credsStore", "credHelpers"])
def test_a_credential_helper_is_asked_on_its_standard_input(
    setting: str, locked: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = json.dumps({"ServerURL": locked, "Username": USER, "Secret": PASSWORD})
    helper(home, f"""[ "$*" = get ] && [ "$(cat)" = '{locked}' ] && printf '%s' '{answer}'""", monkeypatch)
    config = {"credsStore": "test"} if setting == "credsStore" else {"credHelpers": {locked: "test"}}
    (home / "config.json").write_text(json.dumps(config))
    shell = Shell()
    assert write_image(store_of_user(locked, tmp_path / "c", shell)).size
    assert PASSWORD not in shell.mask(PASSWORD)


def test_a_helper_that_knows_nothing_or_fails(
    locked: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config.json").write_text('{"credsStore": "test"}')
    helper(home, "echo credentials not found in native keychain; exit 1", monkeypatch)
    assert find_credentials(locked, Shell()) is None
    helper(home, f"echo {PASSWORD}; exit 3", monkeypatch)
    with pytest.raises(ToolError, match="exit code 3") as caught:
        write_image(store_of_user(locked, tmp_path / "c", Shell()))
    assert PASSWORD not in f"{caught.value.what}{caught.value.why}{caught.value.next}"


@pytest.mark.parametrize(
    ("given", "tried"),
    [
        (None, "none were found for"),
        (Credentials(user=USER, password="wrong-password", source="~/.docker/config.json"), "user 'ci' from"),
    ],
)
def test_without_the_right_password_it_says_what_was_tried(
    given: Credentials | None, tried: str, locked: str, tmp_path: Path
) -> None:
    with serve_faulty(locked) as proxy:
        store = open_store(proxy.address, tmp_path / "c", lambda _: given)
        with pytest.raises(StoreError, match="refused GET") as caught:
            store.find("app")
        assert tried in caught.value.why
        assert "401 Unauthorized" in caught.value.why
        assert "docker login" in caught.value.next
        assert "wrong-password" not in caught.value.why
        assert len(proxy.asked) == (2 if given else 1), "a refusal is not repeated"


@pytest.mark.parametrize("kind", ["password", "identity token"])
def test_a_token_is_fetched_kept_and_renewed_when_it_expires(
    kind: str, behind_tokens: FaultyRegistry, tmp_path: Path
) -> None:
    given = Credentials(user=USER, password=PASSWORD, source="the test")
    if kind == "identity token":
        given = Credentials(identity_token=TOKEN, source="the test")
    proxy = behind_tokens
    del proxy.asked[:]
    store = open_store(proxy.address, tmp_path / "c", lambda _: given)
    image = write_image(store)
    tokens = "POST" if kind == "identity token" else "GET"
    assert proxy.count(tokens, "/token") == 1
    proxy.good_tokens.clear()
    assert open_store(proxy.address, tmp_path / "d", lambda _: given).find_image(image.digest) == image
    store.tag("app", image)
    assert proxy.count(tokens, "/token") == 3
    proxy.rules.clear()
    proxy.fail("GET", "/manifests/app", 401, 9, headers={"WWW-Authenticate": proxy_challenge(proxy)})
    del proxy.asked[:]
    with pytest.raises(StoreError, match="refused GET"):
        store.find("app")
    assert proxy.count("GET", "/manifests/app") == 2, "once renewed, then refused"
    proxy.rules.clear()


def proxy_challenge(proxy: FaultyRegistry) -> str:
    return f'Bearer realm="http://{proxy.address}/token",service="test,registry",error="invalid_token"'


def test_threads_that_start_together_share_one_token(behind_tokens: FaultyRegistry, tmp_path: Path) -> None:
    store = open_store(behind_tokens.address, tmp_path / "c", user_credentials)
    del behind_tokens.asked[:]
    threads = [threading.Thread(target=write_image, args=(store, b"%d" % number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert behind_tokens.count("GET", "/token") == 1


def test_a_netrc_is_not_used(
    tmp_path: Path, behind_tokens: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    del behind_tokens.asked[:]
    with pytest.raises(StoreError, match="refused GET"):
        open_store(behind_tokens.address, tmp_path / "c", no_credentials).find("app")
    assert behind_tokens.asked
    assert not any("Authorization" in each.headers for each in behind_tokens.asked)


def test_a_token_server_that_refuses(behind_tokens: FaultyRegistry, tmp_path: Path) -> None:
    wrong = Credentials(user=USER, password="wrong-password", source="the test")
    store = open_store(behind_tokens.address, tmp_path / "c", lambda _: wrong)
    del behind_tokens.asked[:]
    with pytest.raises(StoreError, match="/token") as caught:
        store.find("app")
    assert "401" in caught.value.why
    assert behind_tokens.count("GET", "/token") == 1


def test_credentials_do_not_follow_a_redirect_or_an_upload_elsewhere(locked: str, tmp_path: Path) -> None:
    with serve_faulty(locked) as proxy, serve_faulty(locked) as elsewhere:
        store = open_store(proxy.address, tmp_path / "c", user_credentials)
        image = write_image(store, b"layer")
        layer = store.write([b"more"], media_type="application/octet-stream")
        headers = {"Location": f"http://{elsewhere.address}/somewhere?signature=secret-signature"}
        elsewhere.fail("GET", "/somewhere", 200, body=b"more")
        proxy.fail("GET", "/blobs/", "redirect", headers=headers)
        assert open_store(proxy.address, tmp_path / "d", user_credentials).read(layer.digest) == b"more"
        elsewhere.fail("PUT", "/somewhere", 403, 9)
        proxy.fail("POST", "/uploads/", 202, headers=headers)
        with pytest.raises(StoreError, match="/somewhere") as caught:
            store.write([b"even more"], media_type="application/octet-stream")
        assert "secret-signature" not in caught.value.what + caught.value.why
        assert elsewhere.count("GET") == elsewhere.count("PUT") == 1
        assert not any("Authorization" in each.headers for each in elsewhere.asked)
        assert any("Authorization" in each.headers for each in proxy.asked)
        assert image.size


def certificate(folder: Path, name: str) -> Path:
    """Make a CA and a certificate of it for 127.0.0.2, which is this machine but not known as such."""
    openssl = program("openssl")
    ca, key = folder / f"{name}.pem", folder / f"{name}.key"
    new = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    subprocess.run(
        [*new, "-subj", f"/CN={name}", "-keyout", key, "-out", ca], check=True, capture_output=True
    )
    leaf = ["-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.2", "-CA", ca, "-CAkey", key]
    leaf += ["-addext", "basicConstraints=critical,CA:FALSE"]
    leaf += ["-keyout", folder / f"{name}-leaf.key", "-out", folder / f"{name}-leaf.pem"]
    subprocess.run([*new, *leaf], check=True, capture_output=True)
    return ca


def test_a_registry_with_a_certificate_of_its_own_ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong = certificate(tmp_path, "right"), certificate(tmp_path, "wrong")
    settings = f", tls: {{certificate: {tmp_path}/right-leaf.pem, key: {tmp_path}/right-leaf.key}}"
    with serve_debian(tmp_path, host="127.0.0.2", tls=settings) as address:

        def open_with(cache: str, ca: Path | None) -> RegistryStore:
            slept: list[float] = []
            return RegistryStore(
                f"oci://{address}/devices/app",
                LayoutStore(tmp_path / cache),
                no_credentials,
                ca,
                sleep=slept.append,
            )

        image = write_image(open_with("a", right))
        with pytest.raises(StoreError, match="does not answer") as caught:
            open_with("b", wrong).find_image(image.digest)
        assert "certificate is not trusted" in caught.value.why
        assert "SSL_CERT_FILE" in caught.value.next
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        monkeypatch.setenv("SSL_CERT_FILE", str(right))
        assert open_with("c", None).find_image(image.digest) == image
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(wrong))
        with pytest.raises(StoreError, match="does not answer"):
            open_with("d", None).find_image(image.digest)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
        with pytest.raises(StoreError, match="does not answer") as caught:
            open_with("e", None).find_image(image.digest)
        assert "missing.pem" in caught.value.why
