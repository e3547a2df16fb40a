"""What the engine is asked for: the real API body that the SDK makes of a container spec."""

from __future__ import annotations

from functools import partial
from typing import Any

from docker.types import ContainerConfig, HostConfig
from msgspec.structs import replace

from autoclave.engines import docker
from autoclave.engines.base import PORT_LABEL, ContainerSpec
from autoclave.engines.docker.run import as_command, create_arguments

VERSION = "1.41"
PLAIN = ContainerSpec(image="sha256:1", command=("pytest", "-q"))
FULL = replace(
    PLAIN,
    name="app",
    user="10001",
    environment={"A": "1"},
    network="net",
    aliases=("app",),
    memory=64 << 20,
    cpus=0.5,
    pids=64,
    volumes={"data": "/data"},
    scratch=("/results",),
    publish=(8000, 18080),
    labels={"k": "v"},
    restart=True,
)


def config_of(spec: ContainerSpec) -> dict[str, Any]:
    arguments = create_arguments(spec, partial(HostConfig, version=VERSION))
    for name in ("name", "networking_config"):
        arguments.pop(name, None)
    return dict(ContainerConfig(VERSION, **arguments))


def test_every_container_is_hardened() -> None:
    for spec in (PLAIN, FULL):
        host = config_of(spec)["HostConfig"]
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert host["Init"] is True
        assert not host.get("Privileged")
        assert not host.get("CapAdd")


def test_a_container_has_no_network_and_no_port_of_its_own_accord() -> None:
    host = config_of(PLAIN)["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert not host.get("PortBindings")


def test_limits_are_hard_and_swap_is_none() -> None:
    host = config_of(FULL)["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 64 << 20
    assert host["NanoCpus"] == 500_000_000
    assert host["PidsLimit"] == 64


def test_ports_are_published_on_this_machine_only() -> None:
    bindings = config_of(FULL)["HostConfig"]["PortBindings"]
    assert bindings == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}]}
    chosen = config_of(replace(FULL, publish=(8000, 0)))["HostConfig"]["PortBindings"]
    assert chosen["8000/tcp"][0]["HostIp"] == "127.0.0.1"
    assert not chosen["8000/tcp"][0].get("HostPort")


def test_what_runs_is_the_image_and_the_command_as_they_are() -> None:
    body = config_of(PLAIN)
    assert (body["Image"], body["Entrypoint"], body["Cmd"]) == ("sha256:1", ["pytest"], ["-q"])
    assert not config_of(replace(PLAIN, command=())).get("Entrypoint")


def test_user_environment_labels_and_volumes_arrive() -> None:
    body = config_of(FULL)
    assert body["User"] == "10001"
    assert body["Env"] == ["A=1"]
    assert body["Labels"] == {"k": "v"}
    assert body["HostConfig"]["Binds"] == ["data:/data"]
    assert body["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert set(body["Volumes"]) == {"/results"}


def test_the_line_to_paste_asks_for_the_same() -> None:
    line = " ".join(as_command(FULL))
    for part in (
        "--read-only --cap-drop ALL --security-opt no-new-privileges --init --network net",
        "--name app --user 10001 --memory 67108864 --memory-swap 67108864 --cpus 0.5 --pids-limit 64",
        "--restart unless-stopped --network-alias app --env A=1 --volume data:/data --volume /results",
        "--publish 127.0.0.1:18080:8000 --entrypoint pytest sha256:1 -q",
    ):
        assert part in line


def test_the_command_to_paste_is_hardened_as_well() -> None:
    argv = as_command(ContainerSpec(image="sha256:1", command=("a", "b"), memory=7, pids=3))
    line = " ".join(argv)
    for part in ("--read-only", "--cap-drop ALL", "no-new-privileges", "--network none", "--memory-swap 7"):
        assert part in line
    assert line.endswith("--entrypoint a sha256:1 b")


def test_programs_in_tmp_can_be_run_unless_the_device_says_otherwise() -> None:
    """The engine adds noexec to a tmpfs of which nothing is said."""
    for spec, option in ((PLAIN, "exec"), (replace(PLAIN, executable_tmp=False), "noexec")):
        assert config_of(spec)["HostConfig"]["Tmpfs"] == {"/tmp": f"rw,{option},nosuid,nodev,mode=1777"}
        assert f"/tmp:rw,{option},nosuid,nodev,mode=1777" in as_command(spec)


def test_arguments_take_the_place_of_cmd_and_follow_a_command() -> None:
    plain = replace(PLAIN, command=(), arguments=("--role", "archive"))
    assert config_of(plain)["Cmd"] == ["--role", "archive"]
    assert not config_of(plain).get("Entrypoint")
    assert as_command(plain)[-3:] == ["sha256:1", "--role", "archive"]
    both = replace(PLAIN, arguments=("--role", "archive"))
    assert config_of(both)["Entrypoint"] == ["pytest"]
    assert config_of(both)["Cmd"] == ["-q", "--role", "archive"]
    assert as_command(both)[-5:] == ["pytest", "sha256:1", "-q", "--role", "archive"]


def test_further_ports_have_their_protocol_and_this_machine_alone() -> None:
    spec = replace(FULL, further_ports={"11112/tcp": 11112, "514/udp": 1514})
    assert config_of(spec)["HostConfig"]["PortBindings"] == {
        "8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}],
        "11112/tcp": [{"HostIp": "127.0.0.1", "HostPort": "11112"}],
        "514/udp": [{"HostIp": "127.0.0.1", "HostPort": "1514"}],
    }
    assert set(config_of(spec)["ExposedPorts"]) == {"8000/tcp", "11112/tcp", "514/udp"}
    argv = as_command(spec)
    assert [argv[at + 1] for at, word in enumerate(argv) if word == "--publish"] == [
        "127.0.0.1:18080:8000",
        "127.0.0.1:11112:11112",
        "127.0.0.1:1514:514/udp",
    ]


def test_the_port_that_is_asked_is_the_service_s_own_one() -> None:
    """The engine lists ports in any order."""
    found = {
        "Id": "1",
        "Name": "/app",
        "Image": "sha256:1",
        "State": {"Running": True, "ExitCode": 0},
        "Config": {"Labels": {PORT_LABEL: "8000/tcp"}},
        "NetworkSettings": {
            "Ports": {"514/udp": [{"HostPort": "1514"}], "8000/tcp": [{"HostPort": "18080"}]}
        },
    }
    assert docker._state(found).host_port == 18080
    found["NetworkSettings"] = {"Ports": {"8000/tcp": None}}
    assert docker._state(found).host_port is None
