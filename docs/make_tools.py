"""Write the table in docs/tools.md from the table of tools in the package."""

from __future__ import annotations

import re
from pathlib import Path

from autoclave.tools import Tool, table

PAGE = Path(__file__).with_name("tools.md")
_TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)


def row(tool: Tool) -> str:
    """Return the row of a tool."""
    sources = [
        *(["release file"] if tool.release else []),
        *(["step image"] if tool.name in {"docker", "trivy", "kubectl"} else []),
        *(["pinned modules"] if tool.build else []),
    ]
    return (
        f"| `{tool.name}` | {tool.needed} | {tool.accepted} | {', '.join(tool.tested)} | "
        f"{'refused' if tool.enforced else 'reported'} | {', '.join(sources) or 'the system'} |"
    )


def render() -> str:
    """Return the table."""
    head = "| tool | needed by | accepted | tested | another version is | `autoclave tools install` gets it from |"
    return "\n".join([head, "| --- | --- | --- | --- | --- | --- |", *map(row, table().values())]) + "\n"


def page(text: str) -> str:
    """Return the page with the table of this code."""
    return _TABLE.sub(lambda _: render(), text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
