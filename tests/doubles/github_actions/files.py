"""Doubles of GitHub's own actions, which cannot be fetched here: what our workflow needs of them.

The folder is a run's artifacts and caches, ACTIONS_DOUBLE_FOLDER. Read from the actions' documentation:
upload-artifact (README: hidden files are left out unless asked for, names are unique unless `overwrite`, the
artifact begins below the one folder that was named, rights are lost), download-artifact (README: fails when
there is no artifact of that name), cache (README: `key`, then the newest of `restore-keys`; written when the
job ended, under `key`, never changed afterwards), codeql-action/upload-sarif (what is not there fails).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

STORE = Path(os.environ["ACTIONS_DOUBLE_FOLDER"])


def upload(name: str, path: str, hidden: str, overwrite: str, missing: str) -> None:
    """Keep a folder as an artifact."""
    source, target = Path(path), STORE / "artifacts" / name
    if not source.is_dir():
        if missing != "ignore":
            sys.exit(f"no files were found with the provided path: {path}")
        print(f"nothing in {path}")
        return
    if target.exists():
        if overwrite != "true":
            sys.exit(f"an artifact with the name {name} exists already on the workflow run")
        shutil.rmtree(target)
    base = source.absolute()
    for file in sorted(each for each in base.rglob("*") if each.is_file()):
        # The whole path counts: a folder that is named outright is left out as well when it is hidden.
        if hidden != "true" and any(
            part.startswith(".") for part in Path(path, file.relative_to(base)).parts
        ):
            continue
        place = target / file.relative_to(base)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    size = sum(each.stat().st_size for each in target.rglob("*") if each.is_file())
    print(f"artifact {name}: {size:,} bytes")


def download(name: str, path: str) -> None:
    """Restore an artifact."""
    source = STORE / "artifacts" / name
    if not source.is_dir():
        sys.exit(f"unable to download artifact(s): artifact not found for name: {name}")
    shutil.copytree(source, path, dirs_exist_ok=True)


def cache(key: str, prefix: str, path: str) -> None:
    """Restore a cache into a folder that is kept under the key: a composite action has no end of the job."""
    caches = STORE / "caches"
    caches.mkdir(parents=True, exist_ok=True)
    there = sorted((each for each in caches.iterdir() if each.name.startswith(prefix)), key=os.path.getmtime)
    print(f"cache restored from {there[-1].name}" if there else "cache not found")
    own = caches / key
    if there and there[-1] != own:
        shutil.copytree(there[-1], own)
    own.mkdir(exist_ok=True)
    Path(path).symlink_to(own, target_is_directory=True)


def sarif(path: str) -> None:
    """Take a SARIF file; refuse what code scanning refuses: two runs of one category, or too many."""
    runs = json.loads(Path(path).read_text("utf-8"))["runs"]
    categories = [each["automationDetails"]["id"].rpartition("/")[0] for each in runs]
    if len(set(categories)) != len(runs) or len(runs) > 20:
        sys.exit("the CodeQL Action does not support uploading multiple SARIF runs with the same category")
    (STORE / "code-scanning.json").write_text(json.dumps(categories), "utf-8")
    print(f"code scanning: {', '.join(categories)}")


if __name__ == "__main__":
    calls: dict[str, Callable[..., None]]
    calls = {"upload": upload, "download": download, "cache": cache, "sarif": sarif}
    calls[sys.argv[1]](*sys.argv[2:])
