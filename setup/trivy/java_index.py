"""Build a small, real Java database for Trivy from facts kept as JSON: `java_index.py FACTS CACHE`.

By it Trivy recognises Java archives that do not say what they are. Its form (schema 1) is trivy-java-db's:
`Init` in pkg/db/db.go and pkg/db/metadata.go. Python alone, no package needed.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

_TABLES = """
CREATE TABLE artifacts(id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT);
CREATE TABLE indices(artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT,
    foreign key (artifact_id) references artifacts(id));
CREATE UNIQUE INDEX artifacts_idx ON artifacts(artifact_id, group_id);
CREATE INDEX indices_artifact_idx ON indices(artifact_id);
CREATE UNIQUE INDEX indices_sha1_idx ON indices(sha1);
"""


def build(facts: Path, cache: Path, at: datetime) -> None:
    """Write `java-db/` into a cache folder of Trivy."""
    folder = cache / "java-db"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "trivy-java.db"
    file.unlink(missing_ok=True)
    archives = json.loads(facts.read_text("utf-8"))["archives"]
    with sqlite3.connect(file) as database:
        database.executescript(_TABLES)
        for group, artifact, version, sha1 in archives:
            database.execute(
                "INSERT OR IGNORE INTO artifacts(group_id, artifact_id) VALUES (?, ?)", (group, artifact)
            )
            database.execute(
                "INSERT INTO indices SELECT id, ?, ?, 'jar' FROM artifacts "
                "WHERE group_id = ? AND artifact_id = ?",
                (version, bytes.fromhex(sha1), group, artifact),
            )
    database.close()
    times = {"NextUpdate": at + timedelta(days=3), "UpdatedAt": at, "DownloadedAt": at}
    metadata = {"Version": 1} | {name: time.strftime("%Y-%m-%dT%H:%M:%SZ") for name, time in times.items()}
    (folder / "metadata.json").write_text(json.dumps(metadata), "utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]), datetime.now(UTC))
