"""The draft as TOML, with comments that say where each value comes from and what could be added."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from autoclave.actions.starter import texts
from autoclave.actions.starter.beside import Beside
from autoclave.actions.starter.draft import Draft
from autoclave.actions.starter.parts import Part

SCHEMA = ".autoclave/schema.json"
_WIDTH = 100  # characters of a list in one line
_COLUMN = 38  # of a comment behind a value


def render(draft: Draft) -> str:
    """Return the device file."""
    blocks = [_head(draft), *(_image(each, draft) for each in draft.parts)]
    if not draft.parts:
        blocks.append(_lines(["[[image]]", _pair("name", draft.name), _pair("dockerfile", "Dockerfile")]))
    if is_shared(draft.parts):
        blocks.append(_unit_test(draft.parts[0], "unit-test"))
    blocks += [_traceability(draft.parts), *_environments(draft)]
    return "\n".join(each for each in blocks if each)


def is_shared(parts: tuple[Part, ...]) -> bool:
    """Return whether all images have the same tests, which `[unit-test]` describes once."""
    described = {_unit_test(each, "unit-test") for each in parts}
    return len(described) == 1 and parts[0].tests is not None


def quote(text: str) -> str:
    """Return a text as a TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _head(draft: Draft) -> str:
    lines = [
        f"#:schema {SCHEMA}",
        "# What Autoclave knows about this device. 'autoclave schema' describes every key.",
        "",
        "[device]",
        _pair("name", draft.name),
        _pair("version", draft.version, draft.version_source or "assumed: no project file names one"),
        "# IEC 62304 software safety class: A, B or C. It selects the policy; if you do not know it, keep C.",
        _pair("safety-class", draft.safety_class),
    ]
    for key, value, text in (
        ("requirements", draft.requirements, "id,text,kind,hazard,method"),
        ("soup", draft.soup, "'autoclave soup' lists what it lacks"),
    ):
        line = _pair(key, value or f"{key}.{'csv' if key == 'requirements' else 'toml'}", text)
        lines.append(line if value else f"# {line}")
    return _lines(lines)


def _image(part: Part, draft: Draft) -> str:
    image = part.image
    lines = ["[[image]]", _pair("name", image.name)]
    if image.context != ".":
        lines.append(_pair("context", image.context))
    if image.dockerfile != "Dockerfile":
        lines.append(_pair("dockerfile", image.dockerfile, "relative to the context"))
    if image.target:
        lines.append(_pair("target", image.target, "the stage that is released"))
    if image.args:
        lines.append(f"args = {_table(image.args)}")
    text = _lines([*lines, "", *_service(part)])
    if part.tests and not is_shared(draft.parts):
        text += "\n" + _unit_test(part, "image.unit-test")
    return text


def _service(part: Part) -> list[str]:
    lines = ["# How the image runs when it is deployed.", "[image.service]"]
    lines.append(f"port = {part.port}" if part.port else "# port = 8080")
    if part.ports:
        lines.append(f"ports = {_table(part.ports)}")
    if part.health_command:
        lines.append(f"health-command = {_list(part.health_command)}")
    elif part.health:
        lines.append(_pair("health", part.health))
    elif part.has_health:
        lines.append("# The HEALTHCHECK of the image is its health check.")
    else:
        lines.append(_pair("# health", "/health", "or a HEALTHCHECK in the Dockerfile"))
    if part.environment:
        lines.append(f"environment = {_table(part.environment)}")
    if part.arguments:
        lines.append(f"arguments = {_list(part.arguments)}")
    if part.secrets:
        named = [texts.to_name(each) for each in part.secrets]
        listed = _list(each for each in named if each)
        lines.append(f"# secrets = {listed}   # files in /run/secrets, never in git")
    if part.volumes:
        lines.append(f"volumes = {_table(part.volumes)}")
    else:
        lines.append('# volumes = { data = "/var/lib/data" }')
    return lines


def _unit_test(part: Part, name: str) -> str:
    tests = part.tests
    if tests is None:
        return ""
    lines = ["# Runs in a container of exactly the built image: its own user, read-only root, no network."]
    if part.stage_lines:
        lines += [
            f"# What {tests.tool} needs and the image lacks: add this to the end of {part.image.file.path}.",
            "#",
        ]
        lines += [f"#   {each}".rstrip() for each in part.stage_lines] + ["#"]
    lines.append(f"[{name}]")
    if part.stage:
        lines.append(_pair("stage", part.stage, "adds test tools to the image, which are not released"))
    lines.append(f"command = {_list(tests.command)}")
    if tests.copy:
        lines.append(f"copy = {_list(tests.copy)}   # arrives in /autoclave")
    if tests.junit != ("junit.xml",):
        lines.append(f"junit = {_list(tests.junit)}   # below /autoclave/results")
    if tests.environment:
        lines.append(f"environment = {_table(tests.environment)}")
    lines.append(_pair("timeout", tests.timeout, "seconds"))
    if tests.memory:
        lines.append(_pair("memory", tests.memory))
    return _lines(lines) + "".join(f"\n{_beside(each, name)}" for each in part.beside)


def _beside(service: Beside, name: str) -> str:
    image = service.image if "@" in service.image or service.is_active else f"{service.image}@sha256:…"
    lines = [f"[[{name}.service]]", _pair("name", service.name), _pair("image", image)]
    if service.health:
        lines.append(f"health = {_list(service.health)}")
    if service.user:
        lines.append(_pair("user", service.user))
    if service.scratch:
        lines.append(f"scratch = {_list(service.scratch)}")
    if service.environment or service.hidden:
        hidden = dict.fromkeys(service.hidden, "…")
        lines.append(f"environment = {_table({**service.environment, **hidden})}")
    text = [f"# {service.source} runs it with the device: the tests reach it as '{service.name}'."]
    if service.is_active:
        return _lines([*text, *lines])
    if "…" in image:
        text.append(f"# Pin it by its digest: 'docker buildx imagetools inspect {service.image}' prints it.")
    return _lines([*text, *(f"# {each}" for each in lines)])


def _traceability(parts: Iterable[Part]) -> str:
    marker = any(each.tests and each.tests.marker for each in parts)
    lines = ["# Tests name the requirements that they verify: by a property in their report, or in a file."]
    if marker:
        lines = [
            '# Tests name the requirements that they verify: @pytest.mark.requirement("SRS-1").',
            "[traceability]",
            _pair("pytest-plugin", True),
        ]
    else:
        lines += ["# [traceability]", _pair("# links", "links.toml")]
    return _lines(lines)


def _environments(draft: Draft) -> Iterator[str]:
    published = {each.image.name: each.published for each in draft.parts if each.published}
    lines = [
        "# Whether it is production, the place that it leads to and the policy decide, never its name.",
        "[[environment]]",
        _pair("name", "staging"),
    ]
    if published:
        lines.append(f"publish = {_table(published)}   # ports of this machine, on 127.0.0.1")
    yield _lines(lines)
    if draft.cluster.table:
        yield _lines(
            [
                "# [[environment]]",
                _pair("# name", "clinic"),
                _pair("# target", "kubernetes"),
                f'# kubernetes = {{ namespace = "{draft.name}", {draft.cluster.table} }}',
            ]
        )
    yield _lines(
        [
            "# [policy]                            # may only tighten what the safety class requires",
            '# scan = { block = ["critical", "high", "medium", "low"] }',
        ]
    )


def _pair(key: str, value: str | int, comment: str = "") -> str:
    written = (
        str(value).lower()
        if isinstance(value, bool)
        else str(value)
        if isinstance(value, int)
        else quote(value)
    )
    line = f"{key} = {written}"
    return f"{line:<{_COLUMN - 2}}  # {comment}" if comment else line


def _list(values: Iterable[str]) -> str:
    quoted = [quote(each) for each in values]
    line = f"[{', '.join(quoted)}]"
    if len(line) <= _WIDTH:
        return line
    rows = [""]
    for each in quoted:
        if rows[-1] and len(rows[-1]) + len(each) > _WIDTH:
            rows.append("")
        rows[-1] += f"{' ' if rows[-1] else ''}{each},"
    return "[\n" + "".join(f"    {row}\n" for row in rows) + "]"


def _table(values: Mapping[str, str] | Mapping[str, int]) -> str:
    pairs = (f"{key} = {quote(each) if isinstance(each, str) else each}" for key, each in values.items())
    return f"{{ {', '.join(pairs)} }}"


def _lines(lines: Iterable[str]) -> str:
    return "\n".join([*lines, ""])
