"""Containers where no known field has them: in objects of other kinds, and as text in any object.

A controller that reads a template out of a ConfigMap starts its containers without a judgement.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from typing import Any

from autoclave.errors import ConfigError
from autoclave.targets.kubernetes import go_yaml

_LISTS = frozenset({"containers", "initContainers", "ephemeralContainers"})
_OF_A_CONTAINER = frozenset(
    {"args", "command", "env", "envFrom", "script", "securityContext", "volumeMounts"}
)
_LIST_IN_TEXT = re.compile(r"\b(containers|initContainers|ephemeralContainers)[\"']?[ \t]?:")
_IMAGE_IN_TEXT = re.compile(r"\bimage[\"']?[ \t]?:")
_ESCAPED = re.compile(r"\\[uUx][0-9a-fA-F]{2}")
_LARGEST = 30_000  # characters of a text that is read as YAML
_COPY = "kubectl.kubernetes.io/last-applied-configuration"
"""An annotation that holds the object itself, as kubectl applied it: nobody starts anything from it."""


def has_containers(value: Any, judged: Collection[int] = ()) -> bool:
    """Return whether anything looks like a container, apart from the parts that are judged, by their id."""
    if id(value) in judged:
        return False
    if isinstance(value, Mapping):
        if isinstance(value.get("image"), str) and _OF_A_CONTAINER & value.keys():
            return True
        return any(_is_part(key, each, judged) for key, each in value.items() if key != _COPY)
    if isinstance(value, list):
        return any(has_containers(each, judged) for each in value)
    return isinstance(value, str) and _holds_containers(value)


def names_image(value: Any, judged: Collection[int], pinned: Collection[tuple[int, Any]]) -> bool:
    """Return whether a key that names an image is anywhere but in what is judged or pinned."""
    if id(value) in judged:
        return False
    if isinstance(value, Mapping):
        return any(
            (key.lower().endswith("image") and isinstance(each, str) and (id(value), key) not in pinned)
            or names_image(each, judged, pinned)
            for key, each in value.items()
        )
    return isinstance(value, list) and any(names_image(each, judged, pinned) for each in value)


def _is_part(key: str, value: Any, judged: Collection[int]) -> bool:
    if key == "binaryData" and isinstance(value, Mapping):
        return any(_holds_containers(_decode(each)) for each in value.values())
    has_list = key in _LISTS and isinstance(value, list) and any(isinstance(each, Mapping) for each in value)
    return (has_list and id(value) not in judged) or has_containers(value, judged)


def _holds_containers(text: str) -> bool:
    """Return whether a text is a template of a workload: by its parts, or by its words if it is no YAML."""
    is_possible = "image" in text and ("ontainers" in text or "apiVersion" in text)
    if not is_possible and not _ESCAPED.search(text):
        return False
    try:
        documents = go_yaml.load(text, "text") if len(text) <= _LARGEST else None
    except ConfigError:
        documents = None
    if documents is None:
        return bool(_LIST_IN_TEXT.search(text) and _IMAGE_IN_TEXT.search(text))
    return any(_is_object_with_image(each) or has_containers(each) for each in documents)


def _is_object_with_image(document: Any) -> bool:
    is_object = isinstance(document, Mapping) and {"apiVersion", "kind"} <= document.keys()
    return is_object and _names_image(document)


def _names_image(value: Any) -> bool:
    if isinstance(value, Mapping):
        return isinstance(value.get("image"), str) or any(map(_names_image, value.values()))
    return isinstance(value, list) and any(map(_names_image, value))


def _decode(value: Any) -> str:
    try:
        return base64.b64decode(str(value)).decode("utf-8", "replace")
    except binascii.Error:
        return ""
