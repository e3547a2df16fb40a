"""The steps of the jobs on GitHub, as YAML. `make_github.py` puts them into the workflow and the action."""

from __future__ import annotations

from github_jobs import (
    CACHE,
    CHECKOUT,
    DATABASES,
    DOWNLOAD,
    FILES,
    OUTPUTS,
    REFUSE,
    RELEASE,
    SUMMARY,
    UPLOAD,
    UPLOAD_SARIF,
    Job,
    commands,
)

_STATE = "${{ inputs.folder }}/.autoclave"


def steps_of(job: Job) -> list[str]:
    """Return the steps of a job: its files, the command, what it hands on and shows."""
    found = []
    if not job.takes:
        found.append(run("refuse other events", REFUSE))
    if job.step != "deploy":
        found.append(f"      - uses: {CHECKOUT}\n        with:\n          persist-credentials: false\n")
    for each in job.takes:
        found.append(
            f"      - uses: {DOWNLOAD}\n        with:\n          name: autoclave-{each}\n"
            f"          path: {_STATE}/handover/{each}\n"
        )
    found.append(files(job))
    if job.step == "scan":
        found.append(cache(""))
    found.append(run(f"autoclave {job.step}", commands(job.step)))
    found.append(run("summary", SUMMARY, condition="always()"))
    if job.name in {"build", "sign"}:
        found.append(run("outputs", OUTPUTS, name_id="outputs"))
    found.append(upload(f"autoclave-{job.name}", f"{_STATE}/handover/{job.hands_on}"))
    if job.step in {"unit-test", "scan"}:
        found.append(upload(f"autoclave-reports-{job.name}", f"{_STATE}/reports"))
    if job.step == "scan":
        found.append(upload_sarif("always() && inputs.code-scanning"))
    return found


def run(
    title: str, script: str, *, condition: str = "", name_id: str = "", env: dict[str, str] | None = None
) -> str:
    """Return a step that runs a script of constant text."""
    lines = [f"      - name: {title}"]
    if name_id:
        lines.append(f"        id: {name_id}")
    if condition:
        lines.append(f"        if: {condition}")
    if env:
        lines += ["        env:", *(f"          {name}: {value}" for name, value in env.items())]
    lines += ["        shell: bash", "        run: |"]
    lines += [f"          {line}" if line else "" for line in script.splitlines()]
    return "\n".join(lines) + "\n"


def files(job: Job) -> str:
    """Return the step that writes keys and files of the organisation where commands read them."""
    held = {each: f"secrets.{each}" for each in job.keys}
    # Its code is not reviewed yet: it signs with a development key.
    env = {f"GIVEN_{name}": f"${{{{ {RELEASE} && {value} || '' }}}}" for name, value in held.items()}
    for name in ("AUTOCLAVE_POLICY", "AUTOCLAVE_TRUST"):
        env[f"GIVEN_{name}"] = f"${{{{ secrets.{name} || vars.{name} }}}}"
    return run("keys and files of the organisation", FILES, env=env)


def cache(condition: str) -> str:
    """Return the step that keeps the scanners' databases from run to run."""
    given = f"        if: {condition}\n" if condition else ""
    return (
        f"      - uses: {CACHE}\n{given}        with:\n          path: {DATABASES}\n"
        # A cache is never changed: each run writes one of its own, and begins with the newest.
        "          key: autoclave-database-${{ github.run_id }}-${{ github.run_attempt }}\n"
        "          restore-keys: autoclave-database-\n"
    )


def upload(name: str, path: str) -> str:
    """Return the step that keeps a folder as an artifact of the run."""
    lines = [
        f"      - uses: {UPLOAD}",
        "        if: always()",
        "        with:",
        f"          name: {name}",
        f"          path: {path}",
        # `.autoclave` is hidden; a job that runs again replaces what it left.
        "          include-hidden-files: true",
        "          overwrite: true",
        "          if-no-files-found: ignore",
        "          retention-days: ${{ inputs.retention-days }}",
    ]
    return "\n".join(lines) + "\n"


def upload_sarif(condition: str) -> str:
    """Return the step that shows the findings in code scanning: no verdict depends on it."""
    lines = [
        f"      - uses: {UPLOAD_SARIF}",
        f"        if: {condition}",
        "        continue-on-error: true",
        "        with:",
        f"          sarif_file: {_STATE}/reports/github-code-scanning.sarif",
    ]
    return "\n".join(lines) + "\n"
