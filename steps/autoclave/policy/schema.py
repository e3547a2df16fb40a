"""What the gates require, and the rule that a lower layer may only require more.

Every field has the direction in which it is stricter; `tighten` needs nothing else. The profiles of the
IEC 62304 safety classes are data (profiles/*.toml).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from autoclave.errors import PolicyLoosened
from autoclave.model.declared import RequirementKind
from autoclave.model.facts import CatalogueName, Severity
from autoclave.model.inventory import Gap
from autoclave.model.text import Role, matching

P = TypeVar("P", bound=Struct)

MOST_TESTS, MOST_DAYS = 10_000_000, 36_500
MOST_HOURS = 24 * MOST_DAYS


def _stricter(direction: str, description: str) -> Meta:
    return Meta(description=description, extra={"stricter": direction})


def _granted(direction: str, description: str, *, kept: bool = False) -> Meta:
    """Describe what only an organisation can allow: its file has all of it, and lower layers only remove.

    With `kept`, a file that does not name it leaves what the profile has.
    """
    return Meta(description=description, extra={"stricter": direction, "granted": "kept" if kept else "all"})


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A part of the policy. No field has a default: an empty policy is an error."""


class BuildPolicy(_Section, frozen=True):
    """What the build gate requires."""

    non_root: Annotated[bool, _stricter("true", "the image must run as a non-root user")]
    known_materials: Annotated[
        bool,
        _stricter(
            "true",
            "what a build fetches (`ADD` of an address) has a checksum; Docker's frontend reads the file",
        ),
    ]
    secrets: Annotated[
        frozenset[
            Annotated[
                str,
                matching(
                    r"[A-Za-z_][A-Za-z0-9_]*|\*", says="the name of a variable, or *", example="PIP_TOKEN"
                ),
            ]
        ],
        _granted(
            "granted",
            "variables of the job that a build may read as secrets; `*`: all but reserved ones",
            kept=True,
        ),
    ]
    frontends: Annotated[
        frozenset[
            Annotated[
                str,
                matching(
                    r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)+",
                    says="a repository with its registry, without a tag",
                    example="mirror.example/docker/dockerfile",
                ),
            ]
        ],
        _granted(
            "granted",
            "repositories with mirrors of Docker's frontend, which may read a Dockerfile as its own does",
            kept=True,
        ),
    ]


class UnitTestPolicy(_Section, frozen=True):
    """What the unit-test gate requires."""

    min_passed: Annotated[
        int, Meta(ge=1, le=MOST_TESTS), _stricter("higher", "fewest tests that must have passed")
    ]
    max_skipped: Annotated[
        int, Meta(ge=0, le=MOST_TESTS), _stricter("lower", "most tests that may be skipped")
    ]
    arbitrary_user: Annotated[
        bool, _stricter("true", "the image must also run under an arbitrary user in group 0, as on OpenShift")
    ]
    untraced_retries: Annotated[
        frozenset[
            Annotated[
                str,
                matching(
                    r"[A-Za-z0-9 ._:-]+|\*",
                    says="the name of a tool, or *",
                    example="pytest-rerunfailures",
                    max_length=100,
                ),
            ]
        ],
        _granted(
            "granted",
            "tools accepted although their report hides that a test passed only on a repetition; `*`: all",
            kept=True,
        ),
    ]


class LaterRule(
    Struct, frozen=True, kw_only=True, order=True, forbid_unknown_fields=True, rename={"from_": "from"}
):
    """What the scan gate requires in addition from a day on; until then, what would block is a warning."""

    from_: Annotated[date, Meta(description="the first day on which it counts, in UTC")]
    block: Annotated[
        tuple[Severity, ...], Meta(description="severities that block from then on", min_length=1)
    ]

    def __str__(self) -> str:
        return f"from {self.from_}: {', '.join(sorted(self.block))}"


_Version = Annotated[
    str,
    matching(
        r"[0-9]+(\.[0-9]+){1,3}[A-Za-z0-9.+~-]*",
        says="a version: two to four numbers with dots between, as the program prints it",
        example="0.74.0",
        max_length=50,
    ),
]


class ScanPolicy(_Section, frozen=True):
    """What the scan gate requires. Secrets always block, unless waived: there is no setting for them."""

    block: Annotated[frozenset[Severity], _stricter("superset", "severities of vulnerabilities that block")]
    fixable_only: Annotated[bool, _stricter("false", "let findings without a fixed version pass")]
    block_unknown: Annotated[bool, _stricter("true", "findings without a severity block")]
    block_misconfiguration: Annotated[
        frozenset[Severity], _stricter("superset", "severities of misconfigurations that block")
    ]
    block_unjudged: Annotated[frozenset[Gap], _stricter("superset", "what a scan cannot judge, and blocks")]
    block_exploited: Annotated[
        bool,
        _stricter("true", "vulnerabilities that are known to be exploited block, whatever their severity"),
    ]
    block_predicted: Annotated[
        float,
        Meta(ge=0, le=1),
        _stricter("lower", "vulnerabilities with this probability of exploitation (EPSS) block; 1: none"),
    ]
    grace_days: Annotated[
        dict[Severity, Annotated[int, Meta(ge=0, le=MOST_DAYS)]],
        _granted("fewer", "days after its publication in which a vulnerability of a severity does not block"),
    ]
    block_reported: Annotated[
        frozenset[Severity],
        _stricter(
            "superset", "severities of results in other tools' reports that block, whatever the device says"
        ),
    ]
    reports: Annotated[
        frozenset[Annotated[str, Meta(min_length=1, max_length=100)]],
        _stricter("superset", "tools of which every scan must have taken in a report"),
    ]
    later: Annotated[
        frozenset[LaterRule],
        _stricter("superset", "what blocks from a future day on, and is a warning before"),
    ]
    catalogues: Annotated[
        dict[CatalogueName, str],
        _granted(
            "same",
            "catalogues about exploitation for every scan: a file or an https address, `@sha256:…` pins it",
        ),
    ]
    max_catalogue_age_hours: Annotated[
        int, Meta(ge=1, le=MOST_HOURS), _stricter("lower", "oldest catalogue about exploitation, in hours")
    ]
    max_database_age_hours: Annotated[
        int, Meta(ge=1, le=MOST_HOURS), _stricter("lower", "oldest advisory database, in hours")
    ]
    max_index_age_hours: Annotated[
        int,
        Meta(ge=1, le=MOST_HOURS),
        _stricter("lower", "oldest database by which packages are recognised (Java's), in hours"),
    ]
    scanners: Annotated[
        frozenset[str],
        _stricter("superset", "scanners that must each have scanned the image; one always must"),
    ]
    versions: Annotated[
        dict[
            Annotated[
                str,
                matching(
                    r"[a-z][a-z0-9-]*",
                    says="the name of a program, in small letters",
                    example="trivy",
                    max_length=50,
                ),
            ],
            _Version,
        ],
        _stricter("pins", "the one version of a scanner that may have scanned; others: any accepted one"),
    ]


class ReleasePolicy(_Section, frozen=True):
    """What the release gate (step `sign`) requires."""

    clean_tree: Annotated[bool, _stricter("true", "built, tested and scanned from the tree of one commit")]
    max_record_age_hours: Annotated[
        int, Meta(ge=1, le=MOST_HOURS), _stricter("lower", "oldest record, in hours")
    ]
    timestamp: Annotated[
        bool, _stricter("true", "the seal over all records has a time stamp of a trusted authority")
    ]


class ProductionPolicy(_Section, frozen=True):
    """What production environments require in addition. They never accept development keys.

    `exempt` are patterns of places (see model.place): without an organisation's file, this machine alone.
    """

    exempt: Annotated[
        frozenset[str], _granted("subset", "places that are not production; `local` is this machine")
    ]
    min_database_bytes: Annotated[
        int,
        Meta(ge=0, le=1 << 50),
        _stricter(
            "higher", "smallest advisory database, when the scanner does not report whether it is complete"
        ),
    ]


class HardeningPolicy(_Section, frozen=True):
    """What the hardening gate requires of pods, before anything is applied to a cluster."""

    block: Annotated[
        frozenset[Severity], _stricter("superset", "severities of findings about pods that block")
    ]


_Path = Annotated[
    str,
    matching(
        r"[A-Za-z_][\w-]*(\[\*\])?(\.[A-Za-z_][\w-]*(\[\*\])?){0,30}",
        says="fields joined by dots, with [*] for each part of a list or map",
        example="spec.steps[*].image",
        max_length=500,
    ),
]


class ObjectPaths(_Section, frozen=True):
    """Where objects of a kind say what runs: `spec.steps[*].image`, `[*]` for each part of a list or map.

    `images` are references; `containers` are containers, or lists of them; `pods` are specifications of pods.
    """

    images: tuple[_Path, ...] = ()
    containers: tuple[_Path, ...] = ()
    pods: tuple[_Path, ...] = ()


class KubernetesPolicy(_Section, frozen=True):
    """What may be applied to a cluster besides the kinds that are known: workloads and plain ones."""

    kinds: Annotated[
        dict[
            Annotated[
                str,
                matching(
                    r"[A-Z][A-Za-z0-9]{0,62}(\.[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?)?",
                    says="a kind of object and its group, as Kind.group",
                    example="Workflow.argoproj.io",
                ),
            ],
            ObjectPaths,
        ],
        _granted(
            "granted paths",
            "further kinds that a device may apply, as `Kind.group`, with the paths of what they run",
        ),
    ]


class RequirementsPolicy(_Section, frozen=True):
    """What the release gate requires of requirements and their tests."""

    demanded: Annotated[bool, _stricter("true", "the device must name a requirements file")]
    cover: Annotated[
        frozenset[RequirementKind],
        _stricter("superset", "kinds of requirements that need a passing test on exactly this image"),
    ]
    known_ids: Annotated[bool, _stricter("true", "a test must not name a requirement that does not exist")]
    linked_tests: Annotated[bool, _stricter("true", "every test must name a requirement")]
    allow_flaky: Annotated[bool, _stricter("false", "a test that passed only on a repetition counts")]


class SoupPolicy(_Section, frozen=True):
    """What the release gate requires of the SOUP register."""

    demanded: Annotated[bool, _stricter("true", "every component needs an entry in the SOUP register")]
    versions: Annotated[bool, _stricter("true", "an entry must name a version, not any")]
    review_days: Annotated[
        int, Meta(ge=1, le=MOST_DAYS), _stricter("lower", "oldest review of published anomalies, in days")
    ]
    allow_unsupported: Annotated[bool, _stricter("false", "components may be past the end of their support")]


class WaiversPolicy(_Section, frozen=True):
    """What a waiver must be to count. That of a secret always needs two persons."""

    max_days: Annotated[
        int, Meta(ge=1, le=MOST_DAYS), _stricter("lower", "longest validity of a waiver, in days")
    ]
    two_persons: Annotated[bool, _stricter("true", "a second person must sign, who is not the author")]
    risk_reference: Annotated[bool, _stricter("true", "a waiver must refer to the risk file")]
    supplier_vex: Annotated[bool, _stricter("false", "a trusted supplier's VEX document counts by itself")]


class ApprovalsPolicy(_Section, frozen=True):
    """Whose approval production environments require."""

    production: Annotated[
        dict[Role, Annotated[int, Meta(ge=1, le=100)]],
        _stricter("counts", "how many persons of each role must have signed an approval"),
    ]


class Policy(_Section, frozen=True):
    """Everything that the gates require."""

    build: BuildPolicy
    unit_test: UnitTestPolicy
    scan: ScanPolicy
    release: ReleasePolicy
    production: ProductionPolicy
    hardening: HardeningPolicy
    kubernetes: KubernetesPolicy
    requirements: RequirementsPolicy
    soup: SoupPolicy
    waivers: WaiversPolicy
    approvals: ApprovalsPolicy


def grant(base: P, layer: dict[str, Any]) -> P:
    """Return a policy in which all that an organisation grants is what its file says: no more is left.

    `layer` must already have been checked, as for `tighten`.
    """
    hints = get_type_hints(type(base), include_extras=True)
    changed: dict[str, Any] = {}
    for field in msgspec.structs.fields(type(base)):
        here = getattr(base, field.name)
        if isinstance(here, Struct):
            changed[field.name] = grant(here, layer.get(field.encode_name, {}))
        elif (granted := _note(hints[field.name], "granted")) and (
            granted == "all" or field.encode_name in layer
        ):
            given = layer.get(field.encode_name, {} if isinstance(here, dict) else ())
            changed[field.name] = msgspec.convert(given, type=hints[field.name])
    return msgspec.structs.replace(base, **changed)


def tighten(base: P, layer: dict[str, Any], *, source: str, above: str, path: str = "") -> P:
    """Lay a partial policy over `base`. Raises PolicyLoosened, naming both values, when it requires less.

    `layer` must already have been checked against the policy's keys and types; `source` and `above`
    name the two layers in the message.
    """
    hints = get_type_hints(type(base), include_extras=True)
    names = {field.encode_name: field.name for field in msgspec.structs.fields(type(base))}
    changed: dict[str, Any] = {}
    for key, value in layer.items():
        name = names[key]
        now = getattr(base, name)
        where = f"{path}{key}"
        if isinstance(now, Struct):
            changed[name] = tighten(now, value, source=source, above=above, path=f"{where}.")
            continue
        wanted = msgspec.convert(value, type=hints[name])
        direction = _direction(hints[name])
        if not _is_at_least(direction, wanted, now):
            raise PolicyLoosened(
                f"{source} loosens the policy: {where} = {_format(wanted)}, "
                f"but {above} requires {_format(now)}",
                why=f"a lower layer may only require more: stricter is {_WORDS[direction]}",
                next=f"remove {where} there, or set it at least as strict as {_format(now)}",
            )
        changed[name] = wanted
    return msgspec.structs.replace(base, **changed)


_WORDS = {
    "true": "true",
    "false": "false",
    "higher": "a higher number",
    "lower": "a lower number",
    "superset": "a longer list that keeps every entry",
    "subset": "a shorter list",
    "granted": "a shorter list: only the organisation's policy may add to it",
    "granted paths": "fewer kinds, with the same paths: only the organisation's policy may add to them",
    "pins": "more pins, each of the same version",
    "counts": "every role, each with at least as many",
    "fewer": "no more days for any severity",
    "same": "what the organisation's policy says: no other may name or replace it",
}


def _direction(annotated: Any) -> str:
    if direction := _note(annotated, "stricter"):
        return str(direction)
    raise TypeError(f"policy field without a direction: {annotated}")


def _note(annotated: Any, name: str) -> Any:
    """Return what a field's description notes under a name, or None."""
    if get_origin(annotated) is Annotated:
        for part in get_args(annotated)[1:]:
            if isinstance(part, Meta) and part.extra and name in part.extra:
                return part.extra[name]
    return None


def _is_at_least(direction: str, wanted: Any, now: Any) -> bool:
    return bool(_STRICTER[direction](wanted, now))


_STRICTER: dict[str, Callable[[Any, Any], bool]] = {
    "true": lambda wanted, now: wanted or not now,
    "false": lambda wanted, now: now or not wanted,
    "higher": lambda wanted, now: wanted >= now,
    "lower": lambda wanted, now: wanted <= now,
    "superset": lambda wanted, now: wanted >= now,
    "subset": lambda wanted, now: wanted <= now,
    "granted": lambda wanted, now: wanted <= now or "*" in now,
    "granted paths": lambda wanted, now: all(now.get(kind) == paths for kind, paths in wanted.items()),
    "fewer": lambda wanted, now: all(days <= now.get(name, 0) for name, days in wanted.items()),
    "same": lambda wanted, now: wanted == now,
    "pins": lambda wanted, now: all(wanted.get(name) == version for name, version in now.items()),
    "counts": lambda wanted, now: all(wanted.get(role, 0) >= count for role, count in now.items()),
}


def _format(value: Any) -> str:
    if isinstance(value, frozenset):
        return "[" + ", ".join(sorted(map(str, value))) + "]"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(str, value)) + "]"
    if isinstance(value, Struct):
        return _format(msgspec.structs.asdict(value))
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_format(each)}" for key, each in sorted(value.items())) + " }"
    return str(value).lower() if isinstance(value, bool) else str(value)
