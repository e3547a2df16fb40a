"""Why a key of the trust file does not count, in the words of that file: the role, the place, the person."""

from __future__ import annotations

from collections.abc import Sequence

from securesystemslib.signer import Key

from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.model.place import find_match


def explain_refusal(
    keys: Sequence[TrustedKey],
    roles: Sequence[str],
    trust: Trust,
    *,
    place: str | None = None,
    production: bool = False,
) -> str:
    """Return what the trust file says of keys that do not count for one of these roles there.

    The nearest miss is named: a key that has the role, but not this place, before one without the role.
    """
    fitting = [each for each in keys if set(roles) & set(each.may)]
    if not fitting:
        allowed = "; ".join(f"{each.label} may sign {', '.join(each.may)}" for each in keys)
        return f"{trust.source} says: {allowed}"
    here = [each for each in fitting if place is None or not each.places or find_match(place, each.places)]
    if not here:
        where = "; ".join(f"{each.label} counts in {_quote(each.places)}" for each in fitting)
        return f"{trust.source} says: {where}"
    labels = ", ".join(each.label for each in here)
    if production and all(each.development for each in here):
        return f"{labels} does not count{describe_place(place)}"
    return f"{labels}: {trust.source}"


def explain_signer(
    key: Key, roles: Sequence[str], trust: Trust, *, personal: bool = False
) -> tuple[str, str]:
    """Return why what a key would sign in one of these roles does not count, and what to do about it.

    `personal` asks for a key of a person.
    """
    add = f"'autoclave trust add PUBLIC --may {roles[0]} --trust FILE' lists one"
    listed = next((each for each in trust.keys if each.key == key), None)
    if listed is None:
        if personal:
            return (
                f"{trust.source} does not list this key, and only a person who is listed may {roles[0]}",
                "let who keeps the trust file add yours: autoclave trust add PUBLIC --person ID --trust FILE",
            )
        return (
            f"{trust.source} does not list this key",
            f"sign with a listed key (--key, --release-key); {add}",
        )
    if personal and listed.person is None:
        return (
            f"{trust.source} says: {listed.label} belongs to no person; a key of the pipeline cannot decide",
            "sign with a person's key: 'autoclave key new --person ID' makes one",
        )
    return (
        explain_refusal([listed], roles, trust),
        f"sign with a key that may (--key, --release-key), or add '{roles[0]}' to 'may' of this one",
    )


def describe_place(place: str | None) -> str:
    """Return ` in PLACE`, or nothing where no place is judged."""
    return "" if place is None else f" in {place or 'a place that is not named'}"


def describe_key(key: TrustedKey) -> list[str]:
    """Return what the trust file says of a key, a line each."""
    lines = [f"may sign {', '.join(key.may)}"]
    if key.packages:
        lines[0] += f" for {', '.join(key.packages)}"
    if key.person:
        lines.append(
            f"belongs to {key.person.name} ({key.person.id}): {', '.join(key.person.roles) or 'no role'}"
        )
    lines.append(f"counts in {_quote(key.places)}" if key.places else "counts everywhere")
    if key.development:
        lines.append("a development key: no production environment accepts it")
    return lines


def _quote(places: Sequence[str]) -> str:
    return ", ".join(f"'{each}'" for each in places)
