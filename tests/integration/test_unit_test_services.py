"""Service containers beside the tests, on the real engine: reachable, alone, judged, and always removed."""

from __future__ import annotations

import ipaddress
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from builders.devices import Repository
from builders.flow import interrupt, start_command, wait_until
from integration import known_bad
from integration.service_device import (
    ASKS,
    STORE,
    existing_volumes,
    make_device,
    networks,
    prepare_device,
    services,
    volumes_of,
    write_check,
)

# They share a device that is built once in the worker.
pytestmark = pytest.mark.xdist_group("services")
ANSWERED = ASKS.format(name=STORE)
WAITS = "time.sleep(300)"


def facts(repository: Repository) -> dict[str, Any]:
    """The test run in the newest record."""
    found: dict[str, Any] = known_bad.proof(repository, known_bad.TEST_RESULT)["predicate"]["facts"]
    return found


def assert_nothing_left(repository: Repository) -> None:
    assert repository.containers() == []
    assert networks(repository) == []


def test_the_tests_reach_their_service_and_the_record_names_it(tmp_path: Path) -> None:
    with prepare_device(tmp_path) as repository:
        done = repository.run("unit-test", "--image", "app")
        assert done.code == 0, done.err
        (ran,) = facts(repository)["services"]
        assert (ran["name"], ran["image"]) == ("shelf", "store")
        built = repository.run("build").out
        assert ran["digest"] in built
        assert 0 < ran["seconds"] < 20
        log = (repository.folder / ".autoclave/reports/app/service-shelf.log").read_text()
        assert "the store begins" in log
        assert_nothing_left(repository)
        # The same again holds; another service image does not, although it is not the one under test.
        assert "↷ skipped" in repository.run("unit-test", "--image", "app").err
        with (repository.folder / "store.py").open("a") as file:
            file.write("# another one\n")
        repository.commit()
        assert repository.run("build", "--image", "store").code == 0
        again = repository.run("unit-test", "--image", "app")
        assert again.code == 0
        assert "↷ skipped" not in again.err


@pytest.fixture
def listener() -> Iterator[int]:
    """A port on every address of this machine that accepts any connection."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        threading.Thread(target=_accept, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def _accept(server: socket.socket) -> None:
    while True:
        try:
            server.accept()[0].close()
        except OSError:
            return


def host_addresses() -> list[str]:
    """Every IPv4 address of this machine, the engine's bridges among them."""
    addresses = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()
    client = docker.from_env()
    (bridge,) = client.networks.get("bridge").attrs["IPAM"]["Config"]
    client.close()
    # An engine that has just made its first bridge reports only the subnet: the gateway is its first address.
    gateway = bridge.get("Gateway") or str(ipaddress.ip_network(bridge["Subnet"])[1])
    return [*(each for each in addresses if ":" not in each), gateway]


def test_there_is_no_way_out_of_the_network(tmp_path: Path, listener: int) -> None:
    for address in host_addresses():
        socket.create_connection((address, listener), 2).close()
    body = f"""
from concurrent.futures import ThreadPoolExecutor

{ANSWERED}
own = socket.gethostbyname("shelf").rsplit(".", 1)[0] + ".1"
ways = [*((host, {listener}) for host in [own, *{host_addresses()!r}]), ("1.1.1.1", 53), ("8.8.8.8", 53)]

def resolved(name):
    try:
        return socket.getaddrinfo(name, 80)
    except OSError:
        return []

# All at once: most of them are given up only when their time is over.
with ThreadPoolExecutor(32) as pool:
    name = pool.submit(resolved, "deb.debian.org")
    for way, open in zip(ways, pool.map(out, ways), strict=True):
        assert not open, way
    assert not name.result(), "a name of the world was resolved"
"""
    with prepare_device(tmp_path, body) as repository:
        done = repository.run("unit-test", "--image", "app")
        assert done.code == 0, done.err


def test_tests_with_a_network_keep_their_service_closed(tmp_path: Path, listener: int) -> None:
    address = host_addresses()[-1]
    body = f'{ANSWERED}\nassert out(("{address}", {listener}))\nask("/past")\n{WAITS}'
    with prepare_device(tmp_path, body) as repository:
        repository.edit("autoclave.toml", "timeout = 30\n", "timeout = 300\nnetwork = true\n")
        repository.commit()
        with start_command(repository, "unit-test", "--image", "app") as process:
            wait_until("the tests run", lambda: len(repository.containers()) == 2 and services(repository))
            (service,) = services(repository)
            assert list(service.attrs["NetworkSettings"]["Networks"]) == networks(repository)
            # Where the host's name server is a loopback address, the engine would ask it on the host
            # (CVE-2024-29018): the service's questions must end in the container.
            assert service.attrs["HostConfig"]["Dns"] == ["127.0.0.1"]
            tried = f"import socket; socket.create_connection(('{address}', {listener}), 2)"
            assert service.exec_run(["python", "-c", tried]).exit_code != 0
            wait_until("the tests are past their assertions", lambda: b"asked for /past" in service.logs())
            assert process.poll() is None
            interrupt(process, signal.SIGINT)
        assert_nothing_left(repository)


def test_two_runs_at_once_do_not_see_each_other(tmp_path: Path) -> None:
    with (
        prepare_device(tmp_path / "one", WAITS) as one,
        make_device(tmp_path / "two", ASKS.format(name="t-two"), name="t-two") as two,
    ):
        one.edit("autoclave.toml", "timeout = 30\n", "timeout = 300\n")
        one.commit()
        with start_command(one, "unit-test", "--image", "app") as process:
            wait_until("the first tests run", lambda: len(one.containers()) == 2 and services(one))
            (service,) = services(one)
            (network,) = service.attrs["NetworkSettings"]["Networks"].values()
            write_check(
                two, ASKS.format(name="t-two") + f'\nassert not out(("{network["IPAddress"]}", 9000))'
            )
            assert two.run("build").code == 0
            done = two.run("unit-test", "--image", "app")
            assert done.code == 0, done.err
            assert process.poll() is None
            interrupt(process, signal.SIGINT)
        assert_nothing_left(one)
        assert_nothing_left(two)


def test_an_unhealthy_service_shows_its_log(tmp_path: Path) -> None:
    with prepare_device(tmp_path) as repository:
        repository.edit(
            "autoclave.toml", "start-timeout = 20\n", 'start-timeout = 2\nhealth = ["sh", "-c", "exit 1"]\n'
        )
        repository.commit()
        done = repository.run("unit-test", "--image", "app")
        assert done.code == 22, done.err
        assert "service 'shelf' did not become healthy within 2 s: the tests did not run" in done.message
        assert "│ the store begins" in done.err
        ran = facts(repository)
        assert ran["exit_code"] == -1
        assert ran["services"][0]["failure"].startswith("did not become healthy")
        assert_nothing_left(repository)


def test_a_service_that_cannot_start_is_reported_at_once(tmp_path: Path) -> None:
    with prepare_device(tmp_path) as repository:
        repository.edit("autoclave.toml", 'environment = { STORE = "t-shelf" }\n', 'health = ["false"]\n')
        repository.edit("store.py", 'print("the store begins", flush=True)', 'sys.exit("there is no name")')
        repository.commit()
        assert repository.run("build", "--image", "store").code == 0
        began = time.monotonic()
        done = repository.run("unit-test", "--image", "app")
        assert time.monotonic() - began < 15
        assert done.code == 22
        assert "service 'shelf' ended with exit code 1: the tests did not run" in done.message
        assert "│ there is no name" in done.err


def test_a_service_that_dies_midway_ends_the_tests(tmp_path: Path) -> None:
    body = f"try:\n    ask('/end')\nexcept OSError:\n    pass\n{WAITS}"
    with prepare_device(tmp_path, body) as repository:
        began = time.monotonic()
        done = repository.run("unit-test", "--image", "app")
        assert time.monotonic() - began < 20
        assert done.code == 22, done.err
        assert "service 'shelf' ended with exit code 3 while the tests ran" in done.message
        assert "│ asked for /end" in done.err
        assert_nothing_left(repository)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    with prepare_device(tmp_path, WAITS) as repository:
        with start_command(repository, "unit-test", "--image", "app") as process:
            wait_until("the tests run", lambda: len(repository.containers()) == 2 and services(repository))
            volumes = volumes_of(repository.containers())
            assert len(volumes) == 2
            done = interrupt(process, number)
        assert done.code == 130, done.err
        assert_nothing_left(repository)
        assert existing_volumes(volumes) == []


def test_what_a_killed_run_leaves_is_removed(tmp_path: Path) -> None:
    with (
        prepare_device(tmp_path, WAITS) as repository,
        start_command(repository, "unit-test", "--image", "app") as process,
    ):
        wait_until("the tests run", lambda: len(repository.containers()) == 2 and services(repository))
        interrupt(process, signal.SIGKILL)
        (left,) = networks(repository)
        done = repository.run("run", "--to", "build")
        assert f"removed {left}, left behind by a run that crashed" in done.err
        assert_nothing_left(repository)


def test_a_service_pinned_by_digest_is_pulled(tmp_path: Path, registry: str) -> None:
    with prepare_device(tmp_path) as repository:
        name = f"{registry}/elsewhere/store"
        client = docker.from_env()
        client.images.build(path=str(repository.folder), dockerfile="store.Dockerfile", tag=name)
        client.images.push(name)
        pushed = client.images.get(name)
        (reference,) = (each for each in pushed.attrs["RepoDigests"] if each.startswith(name))
        client.images.remove(name)
        repository.edit("autoclave.toml", 'image = "store"\n', f'image = "{reference}"\n')
        repository.commit()
        done = repository.run("unit-test", "--image", "app")
        (ran,) = facts(repository)["services"]
        client.images.remove(reference)
        client.close()
        assert done.code == 0, done.err
        assert (ran["image"], ran["digest"]) == tuple(reference.split("@"))


def test_a_service_without_any_health_check_is_refused(tmp_path: Path) -> None:
    with prepare_device(tmp_path) as repository:
        repository.edit("store.Dockerfile", "HEALTHCHECK", "#")
        repository.commit()
        assert repository.run("build", "--image", "store").code == 0
        done = repository.run("unit-test", "--image", "app")
        assert done.code == 10
        assert "the unit-test service 'shelf' has no health check" in done.message
        assert_nothing_left(repository)


def test_a_test_container_with_services_is_not_kept(tmp_path: Path) -> None:
    with prepare_device(tmp_path) as repository:
        done = repository.run("unit-test", "--image", "app", "--keep")
        assert done.code == 2
        assert "open it with --shell" in done.message
        assert_nothing_left(repository)
