"""Draw docs/report-*.png from real runs: a release, a failed one, and one with waivers and an approval.

    eval "$(setup/exports.sh)"; python docs/make_report_pictures.py        # needs an engine and chromium

Each picture is the page as `autoclave report` wrote it, with the verdict and some of its sections. Only its
Content-Security-Policy is lifted, so that the page can report its height.
"""

from __future__ import annotations

import re
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from picture import draw  # noqa: E402

from builders.devices import KNOWN_BAD, SAMPLE, CommandResult, Repository, free_port  # noqa: E402
from builders.flow import device  # noqa: E402
from integration.people import add_soup_register, full_database, make_organisation  # noqa: E402

_WIDTH = 1180  # CSS pixels
_FOUND = "CVE-2019-10906"


def main() -> int:
    """Run the three examples and draw their reports."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        return (
            draw_release(place / "released")
            or draw_failure(place / "failed")
            or draw_waivers(place / "waived")
        )


def draw_release(folder: Path) -> int:
    """Draw the sample's release, deployed to staging."""
    with device(SAMPLE, folder, name="pulse-oximeter") as repository:
        check_exit_code(repository.run("run"))
        check_exit_code(repository.run("report"))
        return draw_sections(repository, "gateway", "released", ("timeline", "gates", "tests"))


def draw_failure(folder: Path) -> int:
    """Draw the report of an image with a vulnerable package, which no gate lets through."""
    with device(KNOWN_BAD / "vulnerable-package", folder, name="vulnerable-package") as repository:
        check_exit_code(repository.run("run"), 23)
        check_exit_code(repository.run("sign"), 24)
        check_exit_code(repository.run("report"))
        return draw_sections(repository, "app", "failed", ("gates", "findings"))


def draw_waivers(folder: Path) -> int:
    """Draw the same image with waivers by two persons, one of which ends soon, and an approval."""
    folder.mkdir()
    people = make_organisation(folder / "keys")
    with device(KNOWN_BAD / "vulnerable-package", folder, name="infusion-pump") as repository:
        repository.more["AUTOCLAVE_SCANNER_CACHE"] = full_database(folder / "trivy")
        add_soup_register(repository, ("jinja2", "2.10"), ("markupsafe", "*"))
        with (repository.folder / "autoclave.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[[environment]]\nname = "production"\npublish = {{ app = {free_port()} }}\n')
        repository.commit()
        check_exit_code(repository.run("run", *people.options), 23)
        for name, finding, days, why in (
            ("W-1", _FOUND, 100, "no template comes from outside"),
            ("W-2", "CVE-2024-34064", 20, "the filter xmlattr is not used"),
        ):
            until = f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"
            words = ["--rationale", why, "--risk-reference", "RM-7", "--expires", until]
            check_exit_code(repository.run("waive", finding, "--id", name, *words, *people.key("ben")))
            check_exit_code(repository.run("waive", name, "--approve", *people.key("ada")))
        words = ["--package", "pkg:pypi/flask", "--versions", "<1.0", "--rationale", "no JSON is read"]
        words += ["--risk-reference", "RM-9", "--expires", until]
        check_exit_code(
            repository.run("waive", "CVE-2018-1000656", "--id", "W-3", *words, *people.key("ben"))
        )
        repository.commit()
        check_exit_code(repository.run("run", *people.options))
        shown = check_exit_code(repository.run("approve", "production", "--dry-run", *people.trust))
        words = ["--shown", shown.out.rsplit("sha256 of this text: ", 1)[1].strip()]
        check_exit_code(
            repository.run(
                "approve", "production", "--reason", "bench report R-17", *words, *people.key("ada")
            )
        )
        check_exit_code(repository.run("report", *people.trust))
        return draw_sections(repository, "app", "waived", ("findings", "decisions"))


def check_exit_code(ended: CommandResult, code: int = 0) -> CommandResult:
    """Return what came of a command that must end so."""
    if ended.code != code:
        raise SystemExit(ended.err)
    return ended


def draw_sections(repository: Repository, image: str, name: str, sections: tuple[str, ...]) -> int:
    """Draw some sections of a report below its verdict."""
    page = (repository.folder / ".autoclave" / "reports" / image / "release.html").read_text("utf-8")
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    shown = ", ".join(f'main section[aria-labelledby="{each}"]' for each in sections)
    style = f"main section, footer, nav {{ display: none }} {shown} {{ display: block }} body {{ padding-bottom: 24px }}"
    page = page.replace("</style>", f"{style}</style>").replace("</body>\n</html>", "")
    return draw(page, HERE / f"report-{name}.png", width=_WIDTH)


if __name__ == "__main__":
    sys.exit(main())
