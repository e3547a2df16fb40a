"""A stranger's repository, without a device file, goes through the whole flow with what `init` wrote."""

from __future__ import annotations

from pathlib import Path

from builders.devices import SAMPLE, git
from builders.flow import device


def test_the_sample_without_its_device_file_is_deployed(tmp_path: Path) -> None:
    with device(SAMPLE, tmp_path, name="t-init") as repository:
        name = repository.name
        (repository.folder / "autoclave.toml").unlink()
        begun = repository.run("init", "--safety-class", "A", "--yes")
        assert begun.code == 0, begun.err
        assert "requirements-test.txt: Python, tests by pytest" in begun.out
        repository.edit("autoclave.toml", 'name = "device"\nversion', f'name = "{name}"\nversion')
        # All that a person adds: where the service keeps its readings, and a port that is free here.
        repository.edit(
            "autoclave.toml",
            '# volumes = { data = "/var/lib/data" }',
            'volumes = { readings = "/var/lib/pulse-oximeter" }',
        )
        repository.edit("autoclave.toml", " = 18080 }", f" = {repository.port} }}")
        git(repository.folder, "add", "-A")
        repository.commit()
        checked = repository.run("validate")
        assert checked.code == 0, checked.out + checked.err
        done = repository.run("run", "--environment", "staging")
        assert done.code == 0, done.err
        assert "healthy" in repository.run("status").out
