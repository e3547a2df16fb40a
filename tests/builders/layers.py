"""Layers of images, and what the inventory makes of them, without a store."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence

from autoclave.inventory.history import History
from autoclave.store.archive.layers import read_layer

Content = str | bytes | None
"""Text or bytes is a file, None removes it, text after `->` is a link, after `=>` a hard link."""

Change = Mapping[str, Content]


def archive(change: Change | Sequence[tuple[str, Content]]) -> bytes:
    """Return a layer; as pairs, a path may be in it more than once."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in change.items() if isinstance(change, Mapping) else change:
            info, body = tarfile.TarInfo(path), b""
            if content is None:
                folder, _, name = path.rpartition("/")
                info.name = f"{folder}/.wh.{name}".lstrip("/")
            elif isinstance(content, str) and content.startswith("->"):
                info.type, info.linkname = tarfile.SYMTYPE, content[2:]
            elif isinstance(content, str) and content.startswith("=>"):
                info.type, info.linkname = tarfile.LNKTYPE, content[2:]
            else:
                body = content.encode() if isinstance(content, str) else content
                info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def history(*layers: Change | tuple[str, Change]) -> History:
    made = History()
    for each in layers:
        command, change = each if isinstance(each, tuple) else ("RUN something", each)
        made.add(read_layer([archive(change)], made.watch)[1], command)
    return made
