"""A cluster in memory, which stands for kubectl: pods run what was applied, at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autoclave.targets.kubernetes.kubectl_errors import Conflict, Missing
from autoclave.targets.kubernetes.state import title

Object = dict[str, Any]


class MemoryCluster:
    """Objects by title, as `apply` left them. `calls` are what was changed; `refuse` may raise for a call.

    A pod is ready unless its image is listed in `sick`.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.calls: list[str] = []
        self.sick: set[str] = set()
        self.refuse: Callable[[str], None] = lambda call: None
        self.away = 0.0
        self.stopped = ""

    def apply(
        self, objects: Sequence[Mapping[str, Any]], *, dry_run: bool = False, force: bool = False
    ) -> list[Object]:
        found = json.loads(json.dumps(list(objects)))
        for each in found if not dry_run else ():
            self._change(f"apply {title(each)}")
            self.objects[title(each)] = self._run(each)
        return list(found)

    def live(self, objects: Sequence[Mapping[str, Any]]) -> list[Object]:
        return [self.objects[title(each)] for each in objects if title(each) in self.objects]

    def json(self, *words: str, stdin: str = "") -> list[Object]:
        _, first, *names = [each for each in words if not each.startswith("--")]
        if names:  # get KIND NAME
            return [self._find(first, names[0])]
        wanted = dict(
            pair.split("=")
            for each in words
            if each.startswith("--selector=")
            for pair in each.removeprefix("--selector=").split(",")
        )
        if "/" in first:
            return [self.objects[each] for each in words[1:] if each in self.objects]
        kinds = {each.rstrip("s") for each in first.split(",")}
        return [
            each
            for each in self.objects.values()
            if each["kind"].lower() in kinds
            and wanted.items() <= (each["metadata"].get("labels") or {}).items()
        ]

    def text(self, *words: str, stdin: str = "") -> str:
        verb, made = words[0], json.loads(stdin)
        name = title(made)
        if verb == "create" and name in self.objects:
            raise Conflict(f"{name} exists")
        if verb == "replace" and name not in self.objects:
            raise Missing(f"{name} does not exist")
        self._change(f"{verb} {name}")
        made["metadata"].setdefault("resourceVersion", str(len(self.calls)))
        self.objects[name] = made
        return ""

    def delete(self, titles: Sequence[str]) -> None:
        for each in titles:
            self._change(f"delete {each}")
            kind, _, name = each.partition("/")
            for known, found in list(self.objects.items()):
                plain = found["kind"].lower(), found["metadata"]["name"]
                if plain == (kind.partition(".")[0].lower(), name):
                    del self.objects[known]

    def _change(self, call: str) -> None:
        self.refuse(call)
        self.calls.append(call)

    def _find(self, kind: str, name: str) -> Object:
        for each in self.objects.values():
            if (each["kind"].lower(), each["metadata"]["name"]) == (kind, name):
                return each
        raise Missing(f"{kind}/{name} does not exist")

    def _run(self, made: Object) -> Object:
        if made["kind"] != "Pod":
            return made
        images = {each["name"]: each["image"] for each in made["spec"]["containers"]}
        is_ready = not any(image.rpartition("@")[2] in self.sick for image in images.values())
        status = {
            "conditions": [{"type": "Ready", "status": str(is_ready)}],
            "containerStatuses": [{"name": name, "imageID": image} for name, image in images.items()],
        }
        return made | {"status": status}
