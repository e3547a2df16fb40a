"""Write docs/clauses.md: what each source of the clause catalogue requires, and how much a pipeline can show.

python docs/make_clauses.py            # a contract test fails while the page differs from the catalogue
"""

from __future__ import annotations

from pathlib import Path

from autoclave.report import clauses
from autoclave.report.clauses import Clause, Cover, Source, counts

PAGE = Path(__file__).with_name("clauses.md")

_HEAD = """\
# Clauses

Generated from `steps/autoclave/report/clauses/*.toml` by `docs/make_clauses.py`; a test compares the two.

What standards and regulations require of software, and how much of it a pipeline can show. **Covered** means that the records show the
clause whole; **partly** that people must add something, which the last column names; **not** that no pipeline can show it. The
[release report](report.md) prints this table for one release, each row with links to its record and its gate.

The mapping is an engineer's proposal, not normative text. Titles are in our words. A number marked ? was not checked against a text that
can be read freely: check it before you rely on it. The catalogue is data: a new edition of a standard is a new version of its
file, never a change of code.
"""


def page() -> str:
    """Return the whole page."""
    sources = clauses.load()
    parts = [
        _HEAD,
        _table(["source", "clauses", "covered", "partly", "not", "numbers not checked"], _counts(sources)),
    ]
    for source in sources:
        parts.append(
            f"## {source.title}\n\n{source.edition[:1].upper()}{source.edition[1:]}. Read in: {source.read}. Mapping, version {source.version}.\n"
        )
        parts.append(
            _table(
                ["clause", "class", "title", "cover", "shown", "a pipeline cannot show", "records", "gate"],
                [_row(each) for each in source.clause],
            )
        )
    return "\n".join(parts)


def _counts(sources: tuple[Source, ...]) -> list[list[str]]:
    rows = [(source.title, source.clause) for source in sources]
    rows.append(("**all**", tuple(each for source in sources for each in source.clause)))
    return [
        [
            title,
            str(len(listed)),
            *(str(counts(listed)[cover]) for cover in Cover),
            str(sum(not each.verified for each in listed)),
        ]
        for title, listed in rows
    ]


def _row(clause: Clause) -> list[str]:
    return [
        clause.number + ("" if clause.verified else " ?"),
        clause.classes,
        clause.title,
        clause.cover,
        clause.shows,
        clause.cannot,
        ", ".join(clause.records),
        clause.gate,
    ]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        + "\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
