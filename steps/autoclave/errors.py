"""The error tree: one class and one exit code per meaning.

Every error says what happened, why, and what to do next. `cli/main.py` is the only place that
catches them. The table in the documentation is generated from this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class AutoclaveError(Exception):
    """An error with a message for a person: what happened, why, what to do next."""

    code: ClassVar[int] = 1
    meaning: ClassVar[str] = "a defect in Autoclave itself"

    def __init__(self, what: str, *, why: str = "", next: str = "") -> None:  # noqa: A002
        super().__init__(what)
        self.what = what
        self.why = why
        self.next = next

    @property
    def reason(self) -> str:
        """What happened and why, as the reason of another error."""
        return ": ".join(filter(None, (self.what, self.why)))


def combine(errors: Sequence[AutoclaveError], of: str) -> AutoclaveError | None:
    """Return the one error, or one of their common kind that lists all of them; None without any."""
    if len(errors) < 2:
        return errors[0] if errors else None
    kinds = {type(each) for each in errors}
    kind = kinds.pop() if len(kinds) == 1 else ConfigError
    lines = [line for number, each in enumerate(errors, 1) for line in _lines(number, each, of)]
    return kind(f"{of}: {len(errors)} mistakes", why="\n".join(lines), next="fix all of them, then repeat")


def _lines(number: int, error: AutoclaveError, of: str) -> list[str]:
    head = f"{number}. {error.what.removeprefix(f'{of}: ')}"
    following = error.next.split("\n") if error.next else []
    return [f"{head}: {error.why}" if error.why else head, *(f"   {line}" for line in following)]


class UsageError(AutoclaveError):
    """The command line cannot be understood."""

    code = 2
    meaning = "the command line cannot be understood"


class ConfigError(AutoclaveError):
    """A device, policy or trust file is refused."""

    code = 10
    meaning = "a device, policy or trust file is refused"


class PolicyLoosened(ConfigError):
    """A policy layer requires less than the layer above it."""

    code = 11
    meaning = "a policy layer requires less than the layer above it"


class SourceError(AutoclaveError):
    """The device repository cannot be read: no commit, missing file, path outside it."""

    code = 12
    meaning = "the device repository cannot be used (git, missing files, paths that leave it)"


class BuildFailed(AutoclaveError):
    """The engine could not build the image."""

    code = 20
    meaning = "the engine could not build the image"


class GateClosed(AutoclaveError):
    """A gate is closed: the image does not meet the policy. Subclasses name the step."""

    reasons: tuple[str, ...] = ()


class BuildGateClosed(GateClosed):
    """The built image does not meet the policy."""

    code = 21
    meaning = "gate closed: build"


class UnitTestGateClosed(GateClosed):
    """The tests do not meet the policy."""

    code = 22
    meaning = "gate closed: unit-test"


class ScanGateClosed(GateClosed):
    """The findings, or the scan itself, do not meet the policy."""

    code = 23
    meaning = "gate closed: scan"


class ReleaseGateClosed(GateClosed):
    """The records of the image are not sufficient for a release."""

    code = 24
    meaning = "gate closed: sign (the release gate)"


class DeployGateClosed(GateClosed):
    """The release may not run in this environment."""

    code = 25
    meaning = "gate closed: deploy"


class TodayClosed(GateClosed):
    """A release that passed by the policy of its day does not meet the policy of today."""

    code = 26
    meaning = "gate closed by today's policy alone: the release passed by the policy of its day"


class EngineError(AutoclaveError):
    """The container engine does not answer or refuses."""

    code = 30
    meaning = "the container engine does not answer or refuses"


class ScannerError(AutoclaveError):
    """The scanner is missing, of another version than pinned, or its output is unusable."""

    code = 31
    meaning = "the scanner is missing, of another version than pinned, or its output is unusable"


class DatabaseError(AutoclaveError):
    """The scanner's database is missing, empty or unreadable."""

    code = 32
    meaning = "the scanner's database is missing, empty or unreadable"


class SignerError(AutoclaveError):
    """A key cannot be used."""

    code = 33
    meaning = "a key cannot be used"


class ToolError(AutoclaveError):
    """Another external command is missing or failed."""

    code = 34
    meaning = "an external command is missing or failed"


class HostError(AutoclaveError):
    """The CI host does not answer or refuses. `status` is the HTTP status, 0 when there was none."""

    code = 35
    meaning = "the CI host (GitLab, Jenkins) does not answer or refuses"
    status: int = 0


class RunFailed(AutoclaveError):
    """A run on the CI host that was started from here did not pass."""

    code = 36
    meaning = "a run on the CI host did not pass"


class ClusterError(AutoclaveError):
    """The cluster does not answer or refuses."""

    code = 37
    meaning = "the cluster (Kubernetes, OpenShift) does not answer or refuses"


class MachineError(AutoclaveError):
    """The home folder, the temporary folder or the encoding of this machine cannot be used."""

    code = 38
    meaning = "the home folder, the temporary folder or the encoding of this machine cannot be used"


class StoreError(AutoclaveError):
    """Something is missing in the store, or has another digest."""

    code = 40
    meaning = "something is missing in the store, or damaged"


class RecordError(AutoclaveError):
    """A record does not verify."""

    code = 41
    meaning = "a record does not verify"


class Busy(AutoclaveError):
    """Another run holds the lock of this store or environment."""

    code = 42
    meaning = "another run holds the lock of this store or environment"


class TimestampError(AutoclaveError):
    """A time stamp cannot be obtained, is missing, or does not verify."""

    code = 43
    meaning = "a time stamp cannot be obtained, is missing, or does not verify"


class DecisionError(AutoclaveError):
    """A waiver or an approval cannot be made: it would not count, or is there already."""

    code = 44
    meaning = "a waiver or an approval cannot be made: it would not count, or is there already"


class BundleError(AutoclaveError):
    """A bundle is damaged or hostile: nothing of it was imported."""

    code = 45
    meaning = "a bundle is damaged or not what it claims to be; nothing of it was imported"


class DeployFailed(AutoclaveError):
    """The new version did not become healthy; what ran before runs again, or nothing ran before."""

    code = 50
    meaning = "the new version did not become healthy; the previous one runs and answers"


class RollbackFailed(AutoclaveError):
    """The new version did not become healthy and the previous one does not answer either."""

    code = 51
    meaning = "the new version did not become healthy, and the previous one does not answer either"


class NothingToRollBack(AutoclaveError):
    """No earlier deployment of this environment is known, or not of that digest."""

    code = 52
    meaning = "there is no earlier deployment to roll back to"


class DoctorFailed(AutoclaveError):
    """`doctor`, `status` or `trust check` found something to fix, or `plan --diff` found a difference."""

    code = 60
    meaning = "doctor, status or trust check found something to fix, or plan --diff found a difference"


class Interrupted(AutoclaveError):
    """The user or the host stopped the run; no container was left behind."""

    code = 130
    meaning = "stopped by Ctrl-C or SIGTERM; no container is left behind"


def tree(root: type[AutoclaveError] = AutoclaveError) -> list[type[AutoclaveError]]:
    """List `root` and every class below it that has an exit code of its own, by code."""
    found = [root] if "code" in vars(root) else []
    for child in root.__subclasses__():
        found += tree(child)
    return sorted(found, key=lambda error: error.code)
