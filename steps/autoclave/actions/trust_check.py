"""Compare a trust file with what a policy requires of people and keys, and with records."""

from __future__ import annotations

from msgspec import Struct

from autoclave.context import Context
from autoclave.evidence import records
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.evidence.trust_reasons import describe_key
from autoclave.model import steps
from autoclave.policy.schema import Policy
from autoclave.signers import Signer


class OutOfTrust(Struct, frozen=True):
    """A record that does not count, and why: by the words of the trust file where that is the cause."""

    image: str
    record: str
    digest: str
    why: str


def find_gaps(trust: Trust, policy: Policy | None) -> list[str]:
    """Return what nobody can sign with these keys, although the flow or the policy requires it."""
    gaps = [
        f"no key may sign {role}: the step '{step}' cannot leave a record that counts"
        for role, step in {each.role: each.name for each in steps.STEPS}.items()
        if not trust.for_role(role)
    ]
    if policy is None:
        return gaps
    for role, count in sorted(policy.approvals.production.items()):
        able = {key.person.id for key in trust.for_role("approve") if key.person and role in key.person.roles}
        if len(able) < count:
            gaps.append(
                f"production requires {count} approval{'s' if count > 1 else ''} by {role}, and "
                f"{len(able) or 'nobody'} can give one: no other person with that role may approve"
            )
    if policy.waivers.two_persons:
        able = {key.person.id for key in trust.for_role("waive") if key.person}
        if len(able) < 2:
            gaps.append(f"a waiver is signed by two persons, and {len(able) or 'nobody'} may sign one")
    return gaps


def find_key(signer: Signer, trust: Trust) -> TrustedKey | None:
    """Return what the trust file lists of a signer's key; None when it does not."""
    return next((each for each in trust.keys if each.key == signer.public_key), None)


def describe_signer(signer: Signer, trust: Trust) -> list[str]:
    """Return what a key may sign here, a line each."""
    found = find_key(signer, trust)
    if found is None:
        return [f"{trust.source} does not list it: what it signs counts nowhere"]
    return [f"{trust.source} calls it {found.name}", *describe_key(found)]


def find_records(ctx: Context) -> tuple[int, list[OutOfTrust]]:
    """Return how many records of the device's newest images count, and those that do not."""
    count, out = 0, []
    for image in ctx.device.image:
        listed = ctx.store.find(image.name)
        if listed is None:
            continue
        good, bad = records.read_all(ctx.store, listed.digest, ctx.trust)
        count += len(good)
        out += [OutOfTrust(image.name, each.name, each.digest, each.why) for each in bad]
    return count, out
