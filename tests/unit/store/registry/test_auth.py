"""Where credentials are found, which take precedence, and broken files reported without their content."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from autoclave.errors import StoreError
from autoclave.runtime.retry import Retry
from autoclave.runtime.shell import Completed, Shell
from autoclave.store.registry.address import Address
from autoclave.store.registry.auth import Credentials, find_credentials
from autoclave.store.registry.challenge import Authority
from autoclave.store.registry.http import Wire

HOST = "registry.example.com:5050"
SECRET = "s3cret:with/colon+1"


def auth(user: str = "ci", password: str = SECRET) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who is logged in nowhere."""
    for name in (
        "REGISTRY_AUTH_FILE",
        "XDG_RUNTIME_DIR",
        "CI_REGISTRY",
        "CI_REGISTRY_USER",
        "CI_REGISTRY_PASSWORD",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def login(folder: Path, config: dict[str, Any]) -> None:
    (folder / "config.json").write_text(json.dumps(config))


def test_without_a_login_there_are_no_credentials() -> None:
    assert find_credentials(HOST, Shell()) is None


@pytest.mark.parametrize(
    "key", [HOST, f"https://{HOST}", f"https://{HOST}/v1/", f"http://{HOST}", HOST.upper()]
)
def test_every_form_of_a_host_is_found(key: str, home: Path) -> None:
    login(home, {"auths": {"other.example.com": {"auth": auth("other")}, key: {"auth": auth()}}, "more": [1]})
    shell = Shell()
    found = find_credentials(HOST, shell)
    assert found
    assert (found.user, found.password) == ("ci", SECRET)
    assert str(home) in found.source
    assert SECRET not in shell.mask(SECRET)
    assert SECRET not in repr(found)
    assert find_credentials("registry.example.com", shell) is None
    assert find_credentials("evil-" + HOST, shell) is None


@pytest.mark.parametrize("host", ["docker.io", "registry-1.docker.io", "index.docker.io"])
def test_docker_hub_has_a_key_of_its_own(host: str, home: Path) -> None:
    login(home, {"auths": {"https://index.docker.io/v1/": {"auth": auth()}}})
    found = find_credentials(host, Shell())
    assert found
    assert found.user == "ci"


def test_an_identity_token_is_not_a_password(home: Path) -> None:
    login(home, {"auths": {HOST: {"auth": auth("00000000", ""), "identitytoken": "token-0123456789"}}})
    shell = Shell()
    found = find_credentials(HOST, shell)
    assert found
    assert (found.password, found.identity_token) == ("", "token-0123456789")
    assert "0123456789" not in shell.mask("token-0123456789")


def test_an_entry_without_secret_counts_for_nothing(home: Path) -> None:
    login(home, {"auths": {HOST: {}}})
    assert find_credentials(HOST, Shell()) is None
    login(home, {"auths": {HOST: None}})
    assert find_credentials(HOST, Shell()) is None


def test_podmans_files_are_read_after_dockers(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "run" / "containers").mkdir(parents=True)
    (home / "run" / "containers" / "auth.json").write_text(
        json.dumps({"auths": {HOST: {"auth": auth("run")}}})
    )
    (home / "file.json").write_text(json.dumps({"auths": {HOST: {"auth": auth("file")}}}))
    users = []
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
    users.append(find_credentials(HOST, Shell()))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(home / "file.json"))
    users.append(find_credentials(HOST, Shell()))
    login(home, {"auths": {HOST: {"auth": auth("docker")}}})
    users.append(find_credentials(HOST, Shell()))
    assert [each.user for each in users if each] == ["run", "file", "docker"]


def test_ci_variables_count_only_for_their_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_REGISTRY", HOST)
    monkeypatch.setenv("CI_REGISTRY_USER", "gitlab-ci-token")
    assert find_credentials(HOST, Shell()) is None
    monkeypatch.setenv("CI_REGISTRY_PASSWORD", SECRET)
    found = find_credentials(HOST, Shell())
    assert found
    assert found.user == "gitlab-ci-token"
    assert "CI_REGISTRY_USER" in found.source
    assert find_credentials("registry.example.com", Shell()) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"auths": {"registry.example.com:5050": {"auth": "s3cret!!"}}}',
        b'{"auths": {"registry.example.com:5050": "s3cret"}}',
        b'{"credsStore": "../../s3cret"}',
        b'{"credHelpers": {"registry.example.com:5050": "a s3cret"}}',
        b'{"x": "' + b"s3cret" * 200_000 + b'"}',
    ],
)
def test_a_broken_file_is_named_but_not_quoted(content: bytes, home: Path) -> None:
    (home / "config.json").write_bytes(content)
    with pytest.raises(StoreError, match="cannot be used") as caught:
        find_credentials(HOST, Shell())
    assert str(home / "config.json") in caught.value.what
    if b"credHelpers" not in content and b"credsStore" not in content:
        assert "s3cret" not in f"{caught.value.what}{caught.value.why}{caught.value.next}"
    assert caught.value.__cause__ is None


class Helper(Shell):
    """A shell whose commands are answered here."""

    def __init__(self, out: bytes, code: int = 0) -> None:
        super().__init__()
        self.answer = Completed(code, out, b"")
        self.ran: list[tuple[list[str], bytes]] = []

    def run(self, argv: Any, *, stdin: bytes | None = None, **_: Any) -> Completed:
        self.ran.append((list(argv), stdin or b""))
        return self.answer


def test_a_helper_gets_the_host_on_standard_input_only(home: Path) -> None:
    login(home, {"credHelpers": {HOST: "own"}, "credsStore": "common"})
    shell = Helper(b'{"ServerURL":"x","Username":"ci","Secret":"s3cret-word"}')
    found = find_credentials(HOST, shell)
    assert shell.ran == [(["docker-credential-own", "get"], HOST.encode())]
    assert found == Credentials(user="ci", password="s3cret-word", source="docker-credential-own")
    find_credentials("other.example.com", shell)
    assert shell.ran[1] == (["docker-credential-common", "get"], b"other.example.com")


def test_a_helper_may_give_an_identity_token_or_know_nothing(home: Path) -> None:
    login(home, {"credsStore": "common", "auths": {HOST: {"auth": auth()}}})
    found = find_credentials(HOST, Helper(b'{"Username":"<token>","Secret":"token-0123456789"}'))
    assert found
    assert found.identity_token == "token-0123456789"
    found = find_credentials(HOST, Helper(b"credentials not found in native keychain\n", 1))
    assert found
    assert found.user == "ci", "what the helper does not know may stand in the file"


def authority_of(address: Address, asked: list[str]) -> Authority:
    def source(host: str) -> Credentials:
        asked.append(host)
        return Credentials(user="ci", password=SECRET, source="the test")

    return Authority(address, source, Wire(None), Retry())


class Challenged:
    """An answer with a challenge."""

    def __init__(self, challenge: str) -> None:
        self.headers = {"WWW-Authenticate": challenge}


@pytest.mark.parametrize(
    ("scheme", "realm"),
    [
        ("https", "http://auth.example.com/token"),
        ("https", "https://elsewhere.example/token"),
        ("https", "ftp://a/b"),
        ("https", ""),
    ],
)
def test_a_token_server_that_is_not_trusted_gets_no_credentials(scheme: str, realm: str) -> None:
    authority = authority_of(Address(scheme, HOST, "a"), [])
    with pytest.raises(StoreError, match="is not trusted") as caught:
        authority.renew(Challenged(f'Bearer realm="{realm}"'), "")  # type: ignore[arg-type]
    assert "AUTOCLAVE_REGISTRY_REALMS" in caught.value.next
    assert authority.header == ""


@pytest.mark.parametrize("challenge", ['Basic realm="r"', f'Bearer realm="http://{HOST}/token"'])
def test_credentials_are_never_sent_unencrypted(challenge: str) -> None:
    authority = authority_of(Address("http", HOST, "a"), [])
    with pytest.raises(StoreError, match="are not sent") as caught:
        authority.renew(Challenged(challenge), "")  # type: ignore[arg-type]
    assert SECRET not in f"{caught.value.what}{caught.value.why}{caught.value.next}"
    assert authority.header == ""


def test_on_this_machine_credentials_need_no_encryption() -> None:
    authority = authority_of(Address("http", "127.0.0.1:5000", "a"), [])
    assert authority.renew(Challenged('Basic realm="r"'), "")  # type: ignore[arg-type]
    assert authority.header.startswith("Basic ")


def entry_of(user: str) -> dict[str, str]:
    return {"auth": auth(user)}


@pytest.mark.parametrize(
    ("place", "user"),
    [
        (f"{HOST}/team/app", "app"),
        (f"{HOST}/team/app/cache", "app"),
        (f"{HOST}/team/other", "team"),
        (f"{HOST}/teams/app", "host"),
        (f"{HOST}/apple", "host"),
        (HOST, "host"),
        ("other.example.com/team/app", None),
    ],
)
def test_the_longest_path_of_a_repository_has_its_own_credentials(
    place: str, user: str | None, home: Path
) -> None:
    names = {HOST: "host", f"{HOST}/team": "team", f"{HOST}/team/app": "app"}
    login(home, {"auths": {key: entry_of(name) for key, name in names.items()}})
    found = find_credentials(place, Shell())
    assert (found.user if found else None) == user


def test_credentials_of_one_path_are_sent_to_no_other(home: Path) -> None:
    login(home, {"auths": {f"{HOST}/team": entry_of("team")}})
    assert find_credentials(f"{HOST}/other/app", Shell()) is None
    assert find_credentials(HOST, Shell()) is None


@pytest.mark.parametrize(
    "config",
    [
        {"auths": {HOST: {"auth": auth()}}, "credsStore": None, "credHelpers": None},
        {"auths": {HOST: {"auth": auth(), "identitytoken": None, "username": None}}, "credHelpers": {}},
        {"auths": {"a.example": None, HOST: {"auth": auth()}}, "credHelpers": {HOST: None}},
    ],
)
def test_null_is_nothing(config: dict[str, Any], home: Path) -> None:
    login(home, config)
    found = find_credentials(HOST, Shell())
    assert found and found.user == "ci"


def test_null_instead_of_all_credentials_is_no_login(home: Path) -> None:
    login(home, {"auths": None})
    assert find_credentials(HOST, Shell()) is None
