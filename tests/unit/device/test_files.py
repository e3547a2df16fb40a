"""The digest of files."""

from __future__ import annotations

from pathlib import Path

from autoclave.device.files import digest_of_all, digests_of_files


def test_the_digest_of_files_sees_name_content_mode_and_links(tmp_path: Path) -> None:
    seen = set()

    def look() -> None:
        files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
        seen.add(digest_of_all(digests_of_files(tmp_path, files)))

    look()
    (tmp_path / "a").write_text("1")
    look()
    (tmp_path / "a").write_text("2")
    look()
    (tmp_path / "a").chmod(0o755)
    look()
    (tmp_path / "a").rename(tmp_path / "b")
    look()
    (tmp_path / "c").symlink_to("b")
    look()
    (tmp_path / "c").unlink()
    (tmp_path / "c").symlink_to("d")
    look()
    (tmp_path / "empty").mkdir()  # a builder is sent it too
    look()
    (tmp_path / "empty").chmod(0o700)
    look()
    (tmp_path / "b").chmod(0o600)
    look()
    assert len(seen) == 10
