"""Completion and man page: made from the commands, installed where shells and man look."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete

from autoclave.cli import main as cli
from autoclave.cli import man_page
from autoclave.cli.commands import completion
from autoclave.cli.main import main
from autoclave.errors import UsageError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    return tmp_path


def complete(*words: str) -> list[str]:
    shell = BashComplete(cli.program, {}, "autoclave", "_AUTOCLAVE_COMPLETE")
    return [each.value for each in shell.get_completions(list(words[:-1]), words[-1])]


def test_commands_and_options_are_completed() -> None:
    assert complete("tr") == ["trust", "trace"]
    assert complete("trust", "") == ["add", "check", "list"]
    assert "--write-links" in complete("trace", "--w")
    assert complete("key", "new", "--algorithm", "") == ["p-256", "ed25519"]
    assert set(complete("")) == set(cli.commands())
    assert "--version" in complete("--v")


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_a_shell_asks_the_command_itself(shell: str) -> None:
    text = completion.script(shell)
    assert f"_AUTOCLAVE_COMPLETE={shell}_complete" in text
    assert "%(" not in text


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", ".local/share/bash-completion/completions/autoclave"),
        ("fish", ".config/fish/completions/autoclave.fish"),
        ("zsh", ".local/share/zsh/site-functions/_autoclave"),
    ],
)
def test_it_is_written_where_the_shell_looks(home: Path, shell: str, file: str) -> None:
    assert main(["completion", shell, "--install"]) == 0
    assert (home / file).read_text() == completion.script(shell)
    assert (home / ".zshrc").exists() == (shell == "zsh")


def test_zsh_is_told_once_and_its_settings_stay(home: Path) -> None:
    settings = home / "dotfiles" / "zshrc"
    settings.parent.mkdir()
    settings.write_text("setopt mine\n")
    settings.chmod(0o600)
    (home / ".zshrc").symlink_to(settings)
    for _ in range(2):
        assert main(["completion", "--install"]) == 0
    text = settings.read_text()
    assert text.startswith("setopt mine\n")
    assert text.count("autoload -Uz compinit") == 1
    assert (home / ".zshrc").is_symlink()
    assert settings.stat().st_mode & 0o777 == 0o600


def test_a_shell_that_is_not_known_is_named() -> None:
    with pytest.raises(UsageError, match="tcsh cannot complete"):
        completion.find_shell("/bin/tcsh")
    with pytest.raises(UsageError, match="the shell cannot complete"):
        completion.find_shell("")


def test_the_man_page_has_every_command_option_and_exit_code(home: Path) -> None:
    page = man_page.write(cli.program, cli.groups())
    plain = page.replace("\\-", "-")
    for name, found in every_command(cli.program):
        assert f".SS autoclave {name}" in plain, name
        for option in found.params:
            if isinstance(option, click.Option):
                assert max(option.opts, key=len) in plain
    assert ".TP\n42\n" in plain
    assert main(["manual", "--install"]) == 0
    assert (home / ".local/share/man/man1/autoclave.1").read_text() == page


def every_command(group: click.Command, words: str = "") -> list[tuple[str, click.Command]]:
    assert isinstance(group, click.Group)
    context = click.Context(group)
    found: list[tuple[str, click.Command]] = []
    for name in group.list_commands(context):
        each = group.get_command(context, name)
        assert each
        below = every_command(each, f"{words}{name} ") if isinstance(each, click.Group) else []
        found += below or [(f"{words}{name}", each)]
    return found


def test_no_text_of_ours_is_a_macro_of_roff() -> None:
    page = man_page.write(cli.program, cli.groups())
    macros = {".TH", ".SH", ".SS", ".TP", ".B", ".I"}
    assert {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))} <= macros
