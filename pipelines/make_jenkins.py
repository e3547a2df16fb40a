"""Write the key table and help pages of the Jenkins library from the steps' options.

    python pipelines/make_jenkins.py            writes them
    python pipelines/make_jenkins.py --check    exits with 1 when a file differs from what would be written

Each option is a key of a call and an AUTOCLAVE_* variable, like the inputs of the GitLab templates: the same
options are left out as there. Keys that only Jenkins has (credentials, agents, environments) are below.
"""

from __future__ import annotations

import runpy
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from autoclave import __version__
from autoclave.cli.commands import database
from autoclave.model import steps
from autoclave.pipeline import load_module
from autoclave.runtime.options import Field, fields

FOLDER = Path(__file__).parent / "jenkins"
KEYS = FOLDER / "src" / "dev" / "autoclave" / "Keys.groovy"
_GITLAB = runpy.run_path(str(Path(__file__).parent / "gitlab_jobs.py"))
_NOT_KEYS: set[str] = _GITLAB["NOT_INPUTS"]
_PATTERNS = {
    **{name: _GITLAB["PATTERNS"][name] for name in ("folder", "environment")},
    # Jenkins expands nothing in a value: no $ here.
    "store": r"^(oci(\+http)?://[A-Za-z0-9._:/-]+|(?!oci).*)$",
}
_DIGEST = r"[A-Za-z0-9._-]+=sha256:[0-9a-f]{64}"
_DIGESTS = rf"^{_DIGEST}(,{_DIGEST})*$"


@dataclass(frozen=True)
class Key:
    """One key of a call. Without a variable it is the library's own."""

    name: str
    kind: str
    description: str
    variable: str = ""
    pattern: str = ""
    default: str = ""
    required: bool = False


@dataclass(frozen=True)
class Credential:
    """A Jenkins credential, and the variable it ends up in."""

    name: str
    kind: str
    description: str
    variable: str = ""


@dataclass(frozen=True)
class Var:
    """One global variable of the library."""

    name: str
    step: str
    text: str
    options: type
    takes: tuple[str, ...] = ()
    more: tuple[Key, ...] = ()

    @property
    def command(self) -> str:
        """What the step runs."""
        own = f"autoclave {self.step}"
        return f"{database.JOB} && {own}" if self.step == "scan" else own


_CREDENTIALS_KEY = Key("credentials", "map", "ids of Jenkins credentials, by the names below")
_REQUEST_STORE = Key(
    "pullRequestStore",
    "text",
    "store of pull requests, never the release's; empty: the stages pass a folder on",
    pattern=_PATTERNS["store"],
)
_FLOW = (
    Key("staging", "text", "environment that gets every release automatically, or none",
        pattern=_PATTERNS["environment"], default="staging"),
    Key("production", "text", "environment that gets a release when a person approves it, or none",
        pattern=_PATTERNS["environment"], default="none"),
    Key("submitter", "text", "users or groups who may release to production, comma-separated; empty: all"),
    Key("agent", "text", "label of the agents for all stages; empty: any agent"),
    Key("releaseAgent", "text", "label of the agents that sign and deploy; empty: as for the other stages"),
)  # fmt: skip
CREDENTIALS = (
    Credential("key", "keyFile", "secret file: the key that signs the steps' records", "AUTOCLAVE_KEY"),
    Credential("releaseKey", "keyFile", "secret file: the release key", "AUTOCLAVE_RELEASE_KEY"),
    Credential("policy", "file", "secret file: the organisation's policy", "AUTOCLAVE_POLICY"),
    Credential(
        "trust", "file", "secret file: trust.toml that names public keys by absolute paths", "AUTOCLAVE_TRUST"
    ),
    Credential(
        "trustFolder", "zip", "secret ZIP file: trust.toml and the public keys beside it", "AUTOCLAVE_TRUST"
    ),
    Credential("registry", "login", "user name and password of the store's registry"),
    Credential("pullRequestRegistry", "login", "the same for the registry of pullRequestStore"),
)
_OF_RELEASES = ("key", "releaseKey", "trust", "trustFolder", "registry")
"""Never bound for a pull request: its code is not reviewed yet, and it signs with development keys."""

_MORE = {step.name: (_REQUEST_STORE,) for step in steps.CHECKS} | {
    "deploy": (
        Key(
            "digest",
            "text",
            "NAME=DIGEST of an earlier release to go back to, held by the store",
            pattern=_DIGESTS,
        ),
    )
}
_EXAMPLES = {
    "scan": " scannerCache: '/var/cache/trivy'",
    "sign": " credentials: [key: 'autoclave-steps', releaseKey: 'autoclave-release']",
    "deploy": " environment: 'staging'",
}


def _var(step: steps.Step) -> Var:
    return Var(
        name="autoclave" + "".join(word.title() for word in step.name.split("-")),
        step=step.name,
        text=f"{step.summary[0].upper()}{step.summary[1:]}.",
        options=database.JobOptions if step.name == "scan" else load_module(step).Options,
        takes=tuple(each.name for each in steps.find_prerequisites(step.name)),
        more=_MORE.get(step.name, ()),
    )


VARS = tuple(map(_var, steps.STEPS))


def keys_of(var: Var) -> list[Key]:
    """Return the keys of a step's variable: one for each option, then those of the host."""
    own = [_key(each) for each in fields(var.options) if each.name not in _NOT_KEYS]
    return [*own, *var.more, _CREDENTIALS_KEY]


def flow_keys() -> list[Key]:
    """Return the keys of the whole flow: every step's, once, without what the flow itself decides."""
    found: dict[str, Key] = {}
    for var in VARS:
        for each in keys_of(var):
            if each.name not in {"environment", "digest"}:
                found.setdefault(each.name, each)
    return [*_FLOW, *found.values()]


def credentials_of(var: Var) -> list[Credential]:
    """Return the credentials that a step can take: of its options, and the registry's."""
    variables = {each.variable for each in fields(var.options)}
    found = [each for each in CREDENTIALS if not each.variable or each.variable in variables]
    return [each for each in found if _REQUEST_STORE in var.more or each.name != "pullRequestRegistry"]


def _key(option: Field) -> Key:
    first, *others = option.name.split("_")
    plain = {bool: "flag", int: "number", float: "number"}.get(option.kind, "text")
    default = option.default if isinstance(option.default, str) else ""
    return Key(
        name=first + "".join(each.capitalize() for each in others),
        kind="list" if option.multiple else plain,
        description=option.description,
        variable=option.variable,
        pattern=_pattern(option),
        default=default,
        required=option.required,
    )


def _pattern(option: Field) -> str:
    """Return what a value must match: one of the option's choices, where it has some."""
    if not option.choices:
        return _PATTERNS.get(option.name, "")
    none = [""] if option.default == "" else []
    return f"^({'|'.join([*option.choices, *none])})$"


def _literal(text: str) -> str:
    """Return a Groovy string with exactly this text, without interpolation."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _list(words: list[str]) -> str:
    return f"[{', '.join(_literal(word) for word in words)}]"


def table() -> str:
    """Return Keys.groovy."""
    parts = [
        f"""\
package dev.autoclave

import com.cloudbees.groovy.cps.NonCPS

/**
 * The keys of every call, for Autoclave {__version__}.
 * Written by pipelines/make_jenkins.py from the steps' options.
 *
 * A key is name: [variable, kind, pattern]; without a variable it is the library's own.
 */
class Keys implements Serializable {{
    private static final long serialVersionUID = 1L

    /** The version of the steps that this library drives; they refuse another one. */
    @NonCPS
    static String version() {{ {_literal(__version__)} }}

    /** Credentials that no build of a pull request ever sees. */
    @NonCPS
    static List<String> ofReleases() {{ {_list(list(_OF_RELEASES))} }}

    /** The pattern of a list of digests. */
    @NonCPS
    static String digests() {{ {_literal(_DIGESTS)} }}
"""
    ]
    keys = {var.step: keys_of(var) for var in VARS} | {"pipeline": flow_keys()}
    credentials = {var.step: credentials_of(var) for var in VARS} | {"pipeline": list(CREDENTIALS)}
    parts += _method(
        "Map<String, List>",
        "of",
        "The keys of a call.",
        {
            step: [f"{each.name}: {_list([each.variable, each.kind, each.pattern])}" for each in found]
            for step, found in keys.items()
        },
    )
    parts += _method(
        "Map<String, List>",
        "credentials",
        "The credentials of a call: [variable, kind].",
        {
            step: [f"{each.name}: {_list([each.variable, each.kind])}" for each in found]
            for step, found in credentials.items()
        },
    )
    takes = {var.step: [_literal(each) for each in var.takes] for var in VARS}
    parts += _method("List<String>", "takes", "The steps whose handovers a step reads.", takes)
    return "".join([*parts, *_checks()]) + "}\n"


def _checks() -> list[str]:
    """Return the method with the steps between build and sign: what runs at the same time is one list."""
    calls = {var.step: [var.name, var.step, var.command] for var in VARS}
    lines = ["\n    /** The checks of what was built, wave by wave: the call, the step, its command. */\n"]
    lines.append("    @NonCPS\n    static List<List<List<String>>> checks() {\n        return [\n")
    for wave in steps.split_into_waves(steps.CHECKS[1:]):
        inside = "".join(f"                {_list(calls[each.name])},\n" for each in wave)
        lines.append(f"            [\n{inside}            ],\n")
    return [*lines, "        ]\n    }\n"]


def _method(kind: str, name: str, text: str, cases: dict[str, list[str]]) -> list[str]:
    empty = "[:]" if kind.startswith("Map") else "[]"
    lines = [f"\n    /** {text} */\n    @NonCPS\n    static {kind} {name}(String step) {{\n"]
    lines.append("        switch (step) {\n")
    for step, entries in cases.items():
        lines.append(f"            case {_literal(step)}:\n")
        if entries:
            inside = "".join(f"                    {entry},\n" for entry in entries)
            lines.append(f"                return [\n{inside}                ]\n")
        else:
            lines.append(f"                return {empty}\n")
    lines.append(f"            default:\n                return {empty}\n        }}\n    }}\n")
    return lines


def page(name: str, text: str, example: str, keys: list[Key], credentials: list[Credential]) -> str:
    """Return a help page, as plain text: every markup formatter shows it."""
    parts = [f"{name}: {text}\n", f"Of Autoclave {__version__}; written by pipelines/make_jenkins.py.\n"]
    parts.append(f"\n    {example}\n\nKeys:\n")
    for key in keys:
        kind = {"text": "", "flag": "true or false. ", "list": "a list. ", "map": "a map. "}.get(key.kind, "")
        default = f" Default: {key.default}." if key.default not in {"", "."} else ""
        required = " Required." if key.required else ""
        variable = f" [{key.variable}]" if key.variable else ""
        parts.append(_entry(key.name, f"{kind}{key.description}.{default}{required}{variable}"))
    parts.append("\nCredentials (ids of Jenkins credentials):\n")
    for each in credentials:
        never = " Never bound for a pull request." if each.name in _OF_RELEASES else ""
        parts.append(_entry(each.name, f"{each.description}.{never}"))
    parts.append(
        "\nAn AUTOCLAVE_* variable that the controller, folder or agent sets overrides a key: there an\n"
        "organisation pins policy and trust.\n"
    )
    return "".join(parts)


def _entry(name: str, text: str) -> str:
    lines = textwrap.wrap(text, 94, break_long_words=False)
    return f"  {name}\n" + "".join(f"      {line}\n" for line in lines)


def _call(var: Var) -> str:
    """Return the global variable of a step: what `autoclaveBuild()` in a Jenkinsfile calls."""
    words = ", ".join(map(_literal, (var.name, var.step, var.command)))
    return f"""\
import dev.autoclave.Step

/** {var.text} Returns the digests that it was about, as NAME=DIGEST. */
String call(Map given = [:]) {{
    return Step.run(this, {words}, given)
}}
"""


def pages() -> dict[Path, str]:
    """Return every file that is written from the options, and its text."""
    found = {KEYS: table()}
    for var in VARS:
        keys, credentials = keys_of(var), credentials_of(var)
        example = var.name + _EXAMPLES.get(var.step, "()")
        found[FOLDER / "vars" / f"{var.name}.groovy"] = _call(var)
        found[FOLDER / "vars" / f"{var.name}.txt"] = page(var.name, var.text, example, keys, credentials)
    flow = ", ".join(" and ".join(each.name for each in wave) for wave in steps.split_into_waves(steps.STEPS))
    text = f"The whole flow: {flow}."
    example = "autoclavePipeline staging: 'staging', production: 'hospital'"
    whole = page("autoclavePipeline", text, example, flow_keys(), list(CREDENTIALS))
    return found | {FOLDER / "vars" / "autoclavePipeline.txt": whole}


if __name__ == "__main__":
    wrong = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        sys.exit(f"outdated, run python pipelines/make_jenkins.py: {wrong}" if wrong else 0)
    for path, text in pages().items():
        path.write_text(text, "utf-8")
