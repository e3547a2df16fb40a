"""What doctor judges this machine for: the device that is here, else any device."""

from __future__ import annotations

from msgspec import Struct

from autoclave.context import Context
from autoclave.device.schema import FILE, Device, SafetyClass
from autoclave.errors import AutoclaveError
from autoclave.policy.load import read_profile
from autoclave.policy.schema import Policy

_STRICTEST = SafetyClass.C


class Check(Struct, frozen=True):
    """The result of one check: passed or not, what was found, how to fix it."""

    name: str
    fine: bool
    seen: str
    fix: str = ""

    @classmethod
    def of_error(cls, name: str, error: AutoclaveError) -> Check:
        """Return the check that ended with an error."""
        seen = f"{error.what} ({error.why})" if error.why else error.what
        return cls(name, fine=False, seen=seen, fix=error.next)


class Subject(Struct, frozen=True):
    """The device, None without one that can be read, and the policy by which the machine is judged."""

    device: Device | None
    policy: Policy


def find_subject(ctx: Context) -> tuple[Subject, Check]:
    """Return what is here; without a device file that can be read, the strictest class decides."""
    try:
        if not (ctx.folder / FILE).exists():
            seen = f"no {FILE} in {ctx.folder}; 'autoclave init' writes one. Judged as for class {_STRICTEST}"
            return Subject(None, read_profile(_STRICTEST)), Check("device", fine=True, seen=seen)
        device = ctx.device
        about = device.device
        seen = f"{about.name} {about.version}, class {about.safety_class}, in {ctx.folder}"
        return Subject(device, ctx.policy), Check("device", fine=True, seen=seen)
    except AutoclaveError as error:
        return Subject(None, read_profile(_STRICTEST)), Check.of_error("device", error)
