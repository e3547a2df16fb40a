"""What the release is, how and when it was built: identity, provenance, timeline, records, deployments."""

from __future__ import annotations

from autoclave.evidence import seal
from autoclave.evidence.records import TITLE, Record
from autoclave.model.facts import Running
from autoclave.release import strays
from autoclave.report.inputs import Inputs, info_of, signers_of
from autoclave.report.rows import AttachmentRow, DeploymentRow, RecordRow, RejectedRow, SealRow, Step
from autoclave.report.schema import Identity, MaterialRow, Provenance


def identity(known: Inputs) -> Identity:
    """Return what the report is about: from the records, else from the device file."""
    made = info_of(known.newest("verification")) or info_of(known.newest("provenance"))
    build = known.evidence.build
    return Identity(
        device=made.device if made else known.device,
        version=made.device_version if made else known.version,
        safety_class=made.safety_class if made else known.safety_class,
        image=known.image,
        digest=known.evidence.digest,
        config=known.evidence.config,
        commit=build.commit if build else "",
        tree=build.tree if build else "",
        is_worktree=build.is_worktree if build else False,
        policy=known.policy_digest,
    )


def provenance(known: Inputs) -> Provenance | None:
    """Return how the image was built, or None when no provenance record verifies."""
    build = known.evidence.build
    if build is None:
        return None
    return Provenance(
        builder=build.builder,
        engine=build.engine,
        user=build.user or "root (none is set)",
        slsa_level=1,
        started=build.started,
        finished=build.finished,
        materials=tuple(
            MaterialRow(
                name=each.name,
                uri=each.uri,
                digest=", ".join(f"{name}:{value}" for name, value in sorted(each.digest.items())),
            )
            for each in build.materials
        ),
    )


def timeline(known: Inputs) -> tuple[Step, ...]:
    """Return every step that left a record, oldest first."""
    places = {each.record.digest: each.facts.environment for each in known.deployments}
    return tuple(
        Step(
            name=made.step,
            record=record.digest,
            passed=made.passed,
            started=min(made.started_on, made.finished_on),
            finished=max(made.started_on, made.finished_on),
            detail=places.get(record.digest, ""),
        )
        for record in known.records
        if (made := info_of(record))
    )


def records(known: Inputs) -> tuple[RecordRow, ...]:
    """Return every record that verifies, oldest first."""
    newest = {each.name: each.digest for each in known.records}
    return tuple(
        RecordRow(
            name=each.name,
            digest=each.digest,
            at=each.finished,
            signed_by=signers_of(each),
            development=all(key.development for key in each.keys),
            newest=newest[each.name] == each.digest,
            attachments=attachments(each),
        )
        for each in known.records
    )


def seals(known: Inputs) -> tuple[SealRow, ...]:
    """Return the seals over the records, oldest first, each with its time stamp."""
    stamps = {each.seal: each for each in known.stamps}
    made_at = {each.digest: each.finished for each in known.records}
    return tuple(
        SealRow(
            digest=digest,
            at=made_at[digest],
            records=len(each.records),
            previous=each.previous,
            authority=stamp.authority if stamp else "",
            stamped=stamp.time if stamp else None,
            ends=stamp.ends if stamp else None,
            why=stamped.why if stamped else "it has no time stamp",
        )
        for digest, each in seal.seals_of(known.records).items()
        for stamped in [stamps.get(digest)]
        for stamp in [stamped.stamp if stamped else None]
    )


def rejections(known: Inputs) -> tuple[RejectedRow, ...]:
    """Return what is attached as a record but does not verify; of many that do not count the first ones."""
    rejected = [RejectedRow(name=name, why=why, closes=True) for name, why in known.evidence.rejected]
    others = known.evidence.strays
    rejected += [RejectedRow(name=name, why=why, closes=False) for name, why in others[: strays.MOST]]
    if (more := len(others) - strays.MOST) > 0:
        rejected.append(RejectedRow(name="others", why=f"{more:,} more", closes=False))
    return tuple(rejected)


def attachments(record: Record) -> tuple[AttachmentRow, ...]:
    """Return the files attached to a record."""
    return tuple(
        AttachmentRow(title=each.annotations.get(TITLE, "file"), digest=each.digest)
        for each in record.attachments
    )


def deployments(known: Inputs) -> tuple[DeploymentRow, ...]:
    """Return the deployments and rollbacks of this digest, oldest first."""
    return tuple(
        DeploymentRow(
            environment=each.facts.environment,
            target=each.facts.target,
            started=each.facts.started,
            finished=each.facts.finished,
            healthy=bool(each.facts.running) and all(one.healthy for one in each.facts.running),
            failure=each.facts.failure,
            rollback=each.facts.reason,
            replaced=each.facts.replaced.get(known.image, ""),
            put_back=_digest(each.facts.put_back, known.image),
            record=each.record.digest,
            signed_by=signers_of(each.record),
        )
        for each in known.deployments
    )


def _digest(running: tuple[Running, ...], image: str) -> str:
    return next((each.digest for each in running if each.image == image), "")
