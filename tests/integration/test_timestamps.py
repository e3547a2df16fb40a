"""Time stamps for real: an authority that answers with `openssl ts`, whose certificates end while we look."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autoclave.errors import TimestampError
from autoclave.evidence.timestamps import http as timestamp_http
from autoclave.evidence.timestamps import rfc3161
from autoclave.evidence.trust import Authority
from autoclave.runtime.shell import Shell
from builders.devices import KNOWN_BAD, Repository
from builders.flow import make_keys
from builders.prepared_devices import prepare
from doubles import tsa_double

DEMANDS = "\n[policy]\nrelease = { timestamp = true }\n"


@pytest.fixture
def lasting(tmp_path: Path) -> Iterator[tsa_double.Authority]:
    """An authority for many years."""
    with tsa_double.authority(tmp_path / "lasting", "lasting") as made:
        yield made


def demands_stamps(repository: Repository) -> None:
    """Let the policy demand time stamps, and keys of an organisation sign."""
    with (repository.folder / "autoclave.toml").open("a", encoding="utf-8") as file:
        file.write(DEMANDS)
    options = make_keys(repository.home)
    repository.more["AUTOCLAVE_TRUST"] = options[1]
    repository.more["AUTOCLAVE_KEY"] = options[3]
    repository.more["AUTOCLAVE_RELEASE_KEY"] = options[5]


@pytest.fixture
def scanned(tmp_path: Path) -> Iterator[Repository]:
    """A device that demands time stamps, up to the release gate, with a trust file of its own."""
    with prepare(KNOWN_BAD / "control", tmp_path, to="scan", change=demands_stamps) as repository:
        repository.more["AUTOCLAVE_TRUST"] = str(repository.home / "trust.toml")
        yield repository


def trusts(repository: Repository, *authorities: tsa_double.Authority) -> None:
    """Let the trust file name authorities."""
    path = Path(repository.more["AUTOCLAVE_TRUST"])
    keys = path.read_text("utf-8").partition("[[tsa]]")[0]
    path.write_text(keys + "".join(each.trust for each in authorities), "utf-8")


def test_a_release_is_time_stamped_and_deployed(scanned: Repository, lasting: tsa_double.Authority) -> None:
    trusts(scanned, lasting)
    without = scanned.run("sign")
    assert (without.code, without.step) == (43, "sign"), without.err
    assert "the policy demands a time stamp, but no authority is named" in without.message
    closed = scanned.run("deploy", "staging")
    assert closed.code == 25, closed.err
    assert "no seal of the release has a time stamp, which the policy demands" in closed.message
    # Signed or not: what lacks the stamp is not taken for held.
    done = scanned.run("sign", "--tsa", lasting.url)
    assert done.code == 0, done.err
    assert "is signed already" in scanned.run("sign").err
    deployed = scanned.run("deploy", "staging")
    assert deployed.code == 0, deployed.err
    # The seal over the deployment has no stamp of its own; the release's still counts.
    assert scanned.run("deploy", "staging", "--again").code == 0
    done = scanned.run("verify")
    assert done.code == 0, done.err
    assert "time-stamped" in done.out
    assert "ends on" not in done.err
    assert "ends on" in scanned.run("verify", "--warn-days", "4000").err


def test_an_untrusted_authority_gives_no_stamp(
    scanned: Repository, lasting: tsa_double.Authority, tmp_path: Path
) -> None:
    untrusted = scanned.run("sign", "--tsa", lasting.url)
    assert untrusted.code == 43, untrusted.err
    assert "no time-stamping authority is trusted" in untrusted.message
    with tsa_double.authority(tmp_path / "other", "other") as other:
        trusts(scanned, lasting)
        wrong = scanned.run("sign", "--tsa", other.url)
        assert wrong.code == 43, wrong.err
        assert "the time stamp does not verify" in wrong.message
        # And a stamp that was good counts for nothing once its authority is not trusted any more.
        assert scanned.run("sign", "--tsa", lasting.url).code == 0
        trusts(scanned, other)
        closed = scanned.run("deploy", "staging")
        assert closed.code == 25, closed.err
        assert "no time stamp of the release is valid" in closed.message
        assert scanned.run("verify").code == 43


def stamp_twice(scanned: Repository, lasting: tsa_double.Authority, folder: Path) -> dict[Path, bytes]:
    """Sign with an authority whose certificate ends soon, seal with a lasting one before that, wait for it.

    Return the store's index as it was between the two. How soon is soon depends on how busy the machine is.
    """
    index = scanned.store / "index.json"
    unsigned = index.read_bytes()
    for seconds in (8, 30, 120):
        lasts = timedelta(seconds=seconds)
        with tsa_double.authority(folder / f"brief-{seconds}", "brief", lasts=lasts) as brief:
            started = time.monotonic()
            trusts(scanned, brief, lasting)
            done = scanned.run("sign", "--tsa", brief.url)
            done = scanned.run("verify")
            before = {index: index.read_bytes()}
            again = scanned.run("seal", "--tsa", lasting.url)
            left = seconds - (time.monotonic() - started)
            if left < 1:  # too slow for this one
                index.write_bytes(unsigned)
                continue
            assert done.code == 0, done.err
            assert "a certificate of the time-stamping authority brief ends on" in done.err
            assert again.code == 0, again.err
            time.sleep(left + 1.5)
            return before
    raise AssertionError("signing and sealing took more than two minutes")


def test_a_stamp_whose_certificate_ended_holds_only_if_it_was_stamped_again_before(
    scanned: Repository, lasting: tsa_double.Authority, tmp_path: Path
) -> None:
    before = stamp_twice(scanned, lasting, tmp_path)
    held = scanned.run("verify")
    assert held.code == 0, held.err
    assert held.out.count("time-stamped") == 2
    bundle = tmp_path / "b.tar"
    assert scanned.run("export", "-o", str(bundle)).code == 0
    assert scanned.run("verify", str(bundle)).code == 0
    # Without the second stamp, the first proves nothing any more.
    for path, raw in before.items():
        path.write_bytes(raw)
    lapsed = scanned.run("verify")
    assert lapsed.code == 43, lapsed.err
    assert "it was not stamped again before" in lapsed.message
    assert scanned.run("deploy", "staging").code == 25
    # It is proof of what was, and may be archived; the message says that its time is not proven.
    exported = scanned.run("export", "-o", str(bundle))
    assert exported.code == 0
    assert "TIME STAMP NOT VALID" in exported.out


@pytest.mark.parametrize(
    ("switch", "says"),
    [
        ("redirect", "does not answer: 307"),
        ("error", "does not answer: 503"),
        ("html", "is not a time-stamping authority: it answered with 25 bytes of text/html"),
        ("large", "is not a time-stamping authority"),
        ("old", "the time stamp does not verify"),
    ],
)
def test_a_broken_authority_gives_no_stamp(lasting: tsa_double.Authority, switch: str, says: str) -> None:
    roots = [Authority("lasting", lasting.root)]
    now, shell = datetime.now(UTC), Shell()

    def post(query: bytes) -> bytes:
        return timestamp_http.post(lasting.url, query)

    token = rfc3161.request(shell, b"data", roots, now, post)
    assert abs(rfc3161.verify(shell, token, b"data", roots, now).time - now) < timedelta(seconds=10)
    lasting.switch = switch
    with pytest.raises(TimestampError) as caught:
        rfc3161.request(shell, b"data", roots, now, post)
    assert says in f"{caught.value.what}: {caught.value.why}"


def test_a_token_is_about_its_data_alone(lasting: tsa_double.Authority) -> None:
    roots = [Authority("lasting", lasting.root)]
    now, shell = datetime.now(UTC), Shell()
    token = rfc3161.request(shell, b"data", roots, now, lasting.reply)
    for spoilt, data in ((token, b"date"), (token[:-1], b"data"), (b"", b"data"), (token[:40], b"data")):
        with pytest.raises(TimestampError):
            rfc3161.verify(shell, spoilt, data, roots, now)
    with pytest.raises(TimestampError, match="does not answer"):
        timestamp_http.post("http://127.0.0.1:9/", b"")
    with pytest.raises(TimestampError, match="not the address"):
        timestamp_http.post("file:///etc/passwd", b"")
