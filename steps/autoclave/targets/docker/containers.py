"""What a deployed container is: its name, settings and labels, and what is read back from them."""

from __future__ import annotations

import msgspec
from msgspec import structs

from autoclave.context import Context
from autoclave.device.schema import parse_size
from autoclave.engines.base import (
    DEPLOYED,
    DIGEST_LABEL,
    IMAGE_LABEL,
    INPUTS_LABEL,
    PORT_LABEL,
    ContainerSpec,
    ContainerState,
)
from autoclave.model.facts import Running
from autoclave.targets.base import Service
from autoclave.targets.docker import secrets
from autoclave.targets.docker.health import COMMAND_LABEL, PROBE_LABEL, TIMEOUT_LABEL
from autoclave.targets.docker.ownership import CANDIDATE, Ownership


def make_spec(service: Service, image_id: str, own: Ownership) -> ContainerSpec:
    """Return the container in which an image is to run, on the network that the device's containers share."""
    settings = service.settings
    labels = {
        **own.labels(DEPLOYED, service.image),
        DIGEST_LABEL: service.digest,
        INPUTS_LABEL: service.inputs,
        PROBE_LABEL: settings.health,
        COMMAND_LABEL: msgspec.json.encode(settings.health_command).decode()
        if settings.health_command
        else "",
        TIMEOUT_LABEL: str(settings.start_timeout),
        PORT_LABEL: f"{settings.port}/tcp" if settings.port else "",
    }
    return ContainerSpec(
        image=image_id,
        name=own.container(service.image),
        command=tuple(settings.command),
        arguments=tuple(settings.arguments),
        environment=settings.environment,
        executable_tmp=settings.executable_tmp,
        network=own.network,
        aliases=(service.image,),
        memory=parse_size(settings.memory),
        cpus=settings.cpus,
        pids=settings.pids,
        volumes={own.volume(name): path for name, path in settings.volumes.items()},
        publish=(settings.port, service.publish) if settings.port and service.publish else None,
        further_ports=service.further_ports,
        scratch=(secrets.FOLDER,) if settings.secrets else (),
        labels=labels,
        restart=True,
    )


def make_candidate(spec: ContainerSpec, service: Service, own: Ownership, ctx: Context) -> ContainerSpec:
    """Return the same container for a rehearsal: with volumes, a port and a name of its own."""
    settings = service.settings
    return structs.replace(
        spec,
        name=own.candidate(service.image),
        volumes={},
        scratch=(*spec.scratch, *settings.volumes.values()),
        publish=(settings.port, 0) if settings.port else None,
        further_ports={},
        aliases=(),
        restart=False,
        labels={**spec.labels, **ctx.labels(), **own.labels(CANDIDATE, service.image)},
    )


def read_running(state: ContainerState, *, healthy: bool, address: str) -> Running:
    """Return what a container runs, by its labels and the engine's id of its image."""
    return Running(
        image=state.labels.get(IMAGE_LABEL, ""),
        digest=state.labels.get(DIGEST_LABEL, ""),
        container=state.image,
        healthy=healthy,
        inputs=state.labels.get(INPUTS_LABEL, ""),
        address=address,
    )
