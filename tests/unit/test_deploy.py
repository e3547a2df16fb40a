"""The deploy step judges what a target reports, and only what passes is applied, read back and recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave import deploy, release, targets
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.device.schema import FILE
from autoclave.errors import DeployFailed, DeployGateClosed, EngineError, RollbackFailed, StoreError
from autoclave.evidence import predicates, records
from autoclave.evidence.statement import DEPLOYMENT, SEAL
from autoclave.model.facts import Deployment, Finding, Kind, Running, Severity
from autoclave.model.verdict import Verdict
from autoclave.model.vex import Product
from autoclave.release import document
from autoclave.runtime.options import Common
from autoclave.store.layout import LayoutStore
from autoclave.targets.base import ForeignImage, Preparation, Rehearsal, Restoration
from builders import sample_image
from builders.memory_target import MemoryTarget

DEVICE = """
[device]
name = "pump"
version = "1.0.0"
safety-class = "A"
[[image]]
name = "app"
[image.service]
[[environment]]
name = "test"
target = "registry"
[[environment]]
name = "staging"
target = "registry"
"""
OTHER = "sha256:" + "e" * 64
FINDING = Finding(
    id="KSV-1", kind=Kind.MISCONFIGURATION, severity=Severity.CRITICAL, title="privileged", target="Pod/app"
)


def keep_release(folder: Path, store: LayoutStore) -> None:
    """Keep the device file and the built images as the release that was judged last."""
    ctx = Context(Common(folder=str(folder)), JsonScreen())
    ctx.__dict__["store"] = store
    files = [(FILE, store.write([(folder / FILE).read_bytes()], media_type="application/toml"))]
    releases = [release.read(each, ctx.subject(each), ctx) for each in ctx.device.image]
    document.keep(document.make(releases, files, ctx), files, store)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A device's folder with a built image, whose release verifies."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "keys"))
    monkeypatch.setattr(deploy, "judge", lambda *_: Verdict("deploy"))
    (tmp_path / "autoclave.toml").write_text(DEVICE)
    store = LayoutStore(tmp_path / "store")
    sample_image.write_image(store, name="app")
    keep_release(tmp_path, store)
    return tmp_path


def run(folder: Path, environment: str = "test", *, again: bool = False) -> Deployment | None:
    opts = deploy.Options(
        folder=str(folder), environment=environment, store="oci://localhost:5000/pump", again=again
    )
    ctx = Context(opts, JsonScreen())
    ctx.__dict__["store"] = LayoutStore(folder / "store")  # in place of the registry
    return deploy.run(opts, ctx)


def attached(folder: Path, predicate_type: str = DEPLOYMENT) -> list[records.Record]:
    """Return the records of a type that are attached to the image."""
    opts = deploy.Options(folder=str(folder), environment="test")
    ctx = Context(opts, JsonScreen())
    store = LayoutStore(folder / "store")
    found = store.find("app")
    assert found
    good, bad = records.read_all(store, found.digest, ctx.trust)
    assert not bad
    return [each for each in good if each.statement.predicate_type == predicate_type]


CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app\n"
CLUSTER = """
target = "kubernetes"
[environment.kubernetes]
namespace = "clinic"
manifests = ["deploy"]
"""


@pytest.mark.parametrize(
    ("target", "images"),
    [(CLUSTER, ["app", "tool"]), ('target = "registry"\n', ["app", "tool"]), ("", ["app"])],
    ids=["cluster", "registry", "engine"],
)
def test_the_target_says_which_images_are_planned(tmp_path: Path, target: str, images: list[str]) -> None:
    device, _, _ = DEVICE.partition("[[environment]]")
    place = f'[[image]]\nname = "tool"\n[[environment]]\nname = "clinic"\n{target}'
    (tmp_path / "autoclave.toml").write_text(device + place)
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "app.yaml").write_text(CONFIG_MAP)
    opts = deploy.Options(folder=str(tmp_path), environment="clinic")
    planned = deploy.make_plans(opts, Context(opts, JsonScreen()))
    assert [each.image for each in planned] == images


def test_a_repeated_publication_is_skipped(folder: Path) -> None:
    assert run(folder)
    sealed = len(attached(folder, SEAL))
    assert len(attached(folder)) == 1
    assert run(folder) is None
    assert len(attached(folder)) == 1
    assert len(attached(folder, SEAL)) == sealed
    assert run(folder, again=True)
    assert len(attached(folder)) == 2


def test_an_environment_that_shares_the_registry_gets_its_own_record(folder: Path) -> None:
    assert run(folder)
    assert run(folder, "staging")
    facts = [predicates.facts_of(each.statement, Deployment) for each in attached(folder)]
    assert [each.environment for each in facts] == ["test", "staging"]
    assert run(folder, "staging") is None
    assert run(folder) is None
    assert len(attached(folder)) == 2


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> MemoryTarget:
    """The place that every environment is deployed to."""
    made = MemoryTarget()
    monkeypatch.setattr(targets, "create", lambda *_: made)
    return made


def test_a_target_is_asked_in_order(folder: Path, place: MemoryTarget) -> None:
    place.digests = {"app": OTHER}
    done = run(folder)
    assert done
    assert done.replaced == {"app": OTHER}
    assert [each.digest for each in done.running] == list(place.digests.values())
    expected = ["lock", "recover", "prepare", "rehearse", "apply", "observe", "finish", "unlock"]
    assert place.calls == expected


def test_what_runs_without_a_record_is_recorded_and_not_replaced(folder: Path, place: MemoryTarget) -> None:
    found = LayoutStore(folder / "store").find("app")
    assert found
    place.digests = {"app": found.digest}
    assert run(folder)
    assert place.calls == ["lock", "recover", "prepare", "observe", "finish", "unlock"]
    assert len(attached(folder)) == 1
    assert run(folder) is None


FOREIGN = ForeignImage(digest=OTHER, reference=f"r.example/db@{OTHER}", where="Pod/app: container db")


@pytest.mark.parametrize(
    ("preparation", "reason"),
    [
        (Preparation(objections=("the version is taken",)), "the version is taken"),
        (Preparation(findings=(FINDING,)), "critical KSV-1 in Pod/app: privileged"),
        (
            Preparation(foreign=(FOREIGN,)),
            f"Pod/app: container db runs 'r.example/db@{OTHER}', which is not a verified release",
        ),
    ],
)
def test_what_a_target_reports_closes_the_gate_before_anything_is_tried(
    folder: Path, place: MemoryTarget, preparation: Preparation, reason: str
) -> None:
    place.preparation = preparation
    with pytest.raises(DeployGateClosed) as closed:
        run(folder)
    assert reason in closed.value.why
    assert "rehearse" not in place.calls
    assert "apply" not in place.calls
    assert not attached(folder)


def test_an_objection_of_the_rehearsal_closes_the_gate_before_anything_is_applied(
    folder: Path, place: MemoryTarget
) -> None:
    place.rehearsal = Rehearsal(objections=("Node/a belongs to no namespace",))
    with pytest.raises(DeployGateClosed, match="deploy") as closed:
        run(folder)
    assert "Node/a belongs to no namespace" in closed.value.why
    assert "apply" not in place.calls


def test_an_unhealthy_version_is_replaced_by_the_previous_one_and_recorded(
    folder: Path, place: MemoryTarget
) -> None:
    previous = Running(image="app", digest=OTHER, container=OTHER, healthy=True, inputs="")
    place.digests, place.unhealthy = {"app": OTHER}, "GET /health answers 503"
    place.restoration = Restoration((previous,))
    with pytest.raises(DeployFailed) as failed:
        run(folder)
    assert failed.value.why == f"GET /health answers 503\nstill there: app {OTHER[:19]}… answers"
    assert place.calls[-3:] == ["apply", "restore", "unlock"]
    (record,) = attached(folder)
    facts = predicates.facts_of(record.statement, Deployment)
    assert (facts.failure, facts.put_back) == ("GET /health answers 503", (previous,))


def test_a_previous_version_that_does_not_answer_is_reported(folder: Path, place: MemoryTarget) -> None:
    place.unhealthy = "GET /health answers 503"
    place.restoration = Restoration((), "app: the previous version: not healthy")
    with pytest.raises(RollbackFailed) as failed:
        run(folder)
    assert "app: the previous version: not healthy" in failed.value.why
    assert "place ls" in failed.value.next


def test_what_stopped_running_before_the_lock_was_taken_is_deployed(
    folder: Path, place: MemoryTarget
) -> None:
    found = LayoutStore(folder / "store").find("app")
    assert found
    place.digests = {"app": found.digest}
    place.before_lock = lambda: place.digests.update(app=OTHER)
    done = run(folder)
    assert done
    assert done.replaced == {"app": OTHER}
    assert place.digests == {"app": found.digest}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), EngineError("the engine does not answer")])
def test_a_stopped_deployment_reports_that_the_previous_version_does_not_answer(
    folder: Path, place: MemoryTarget, error: BaseException
) -> None:
    def stop() -> None:
        raise error

    place.digests, place.meanwhile = {"app": OTHER}, stop
    place.restoration = Restoration((), "app: the previous version: not healthy")
    with pytest.raises(RollbackFailed) as failed:
        run(folder)
    assert failed.value.what == "test: the deployment was stopped, and the previous version does not answer"
    assert "app: the previous version: not healthy" in failed.value.why
    place.restoration = Restoration(())
    with pytest.raises(type(error)):
        run(folder)


def test_a_failure_is_reported_although_it_cannot_be_recorded(
    folder: Path, place: MemoryTarget, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StoreError("the registry does not answer")

    monkeypatch.setattr(Context, "attach", refuse)
    place.digests, place.unhealthy = {"app": OTHER}, "GET /health answers 503"
    with pytest.raises(DeployFailed):
        run(folder)
    assert "the failed deployment is not recorded: the registry does not answer" in capsys.readouterr().out
    place.restoration = Restoration((), "app: the previous version: not healthy")
    with pytest.raises(RollbackFailed):
        run(folder)


def test_after_a_failed_first_deployment_nothing_is_said_to_run(folder: Path, place: MemoryTarget) -> None:
    place.unhealthy = "GET /health answers 503"
    with pytest.raises(DeployFailed) as failed:
        run(folder)
    assert failed.value.why == "GET /health answers 503\nnothing ran here before"


@pytest.mark.parametrize(("images", "passes"), [(1, True), (2, False)])
def test_a_waiver_for_one_digest_covers_pods_of_no_other_image(
    folder: Path, place: MemoryTarget, monkeypatch: pytest.MonkeyPatch, images: int, passes: bool
) -> None:
    asked: list[str] = []

    def judge(*_: object, product: Product, **__: object) -> tuple[()]:
        asked.append(product.digest)
        return ()

    monkeypatch.setattr(deploy.waivers, "judge", judge)
    place.preparation = Preparation(findings=(FINDING,))
    if images == 2:
        device = (folder / "autoclave.toml").read_text()
        (folder / "autoclave.toml").write_text(
            device.replace("[[environment]]", '[[image]]\nname = "tool"\n[image.service]\n[[environment]]', 1)
        )
        store = LayoutStore(folder / "store")
        sample_image.write_image(store, b"tool", name="tool")
        keep_release(folder, store)
    with pytest.raises(DeployGateClosed):
        run(folder)
    found = LayoutStore(folder / "store").find("app")
    assert found
    assert asked == [found.digest if passes else ""]
