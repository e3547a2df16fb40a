"""What a deployed container is: its name, settings and labels, and what is read back from them."""

from __future__ import annotations

from msgspec import structs

from autoclave.context import Context
from autoclave.device.schema import Environment, parse_size
from autoclave.engines.base import (
    DIGEST_LABEL,
    ENVIRONMENT_LABEL,
    IMAGE_LABEL,
    INPUTS_LABEL,
    ROLE_LABEL,
    RUN_LABEL,
    ContainerSpec,
    ContainerState,
)
from autoclave.model.facts import Running
from autoclave.targets.base import Service
from autoclave.targets.docker.health import PROBE_LABEL, TIMEOUT_LABEL


def name_of(environment: Environment, ctx: Context, *rest: str) -> str:
    """Return the name of a container, volume or network of the device in an environment."""
    return "-".join(("autoclave", ctx.device.device.name, environment.name, *rest))


def make_spec(service: Service, image_id: str, environment: Environment, ctx: Context) -> ContainerSpec:
    """Return the container in which an image is to run, on the network that the device's containers share."""
    settings = service.settings
    labels = {
        **ctx.labels(),
        ENVIRONMENT_LABEL: environment.name,
        IMAGE_LABEL: service.image,
        DIGEST_LABEL: service.digest,
        INPUTS_LABEL: service.inputs,
        ROLE_LABEL: "service",
        PROBE_LABEL: settings.health,
        TIMEOUT_LABEL: str(settings.start_timeout),
    }
    labels.pop(RUN_LABEL)  # a deployed container outlives the run that made it
    return ContainerSpec(
        image=image_id,
        name=name_of(environment, ctx, service.image),
        environment=settings.environment,
        network=name_of(environment, ctx),
        aliases=(service.image,),
        memory=parse_size(settings.memory),
        cpus=settings.cpus,
        pids=settings.pids,
        volumes={name_of(environment, ctx, volume): path for volume, path in settings.volumes.items()},
        publish=(settings.port, service.publish) if settings.port and service.publish else None,
        labels=labels,
        restart=True,
    )


def make_candidate(spec: ContainerSpec, service: Service, ctx: Context) -> ContainerSpec:
    """Return the same container for a rehearsal: with volumes, a port and a name of its own."""
    settings = service.settings
    return structs.replace(
        spec,
        name=f"{spec.name}-candidate",
        volumes={},
        scratch=tuple(settings.volumes.values()),
        publish=(settings.port, 0) if settings.port else None,
        aliases=(),
        restart=False,
        labels={**spec.labels, **ctx.labels(), ROLE_LABEL: "candidate"},
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
