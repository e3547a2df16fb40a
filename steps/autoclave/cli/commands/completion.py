"""`autoclave completion [SHELL] [--install]`: let bash, zsh or fish complete commands and options."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path
from typing import Annotated

import click
from click.shell_completion import ShellComplete, get_completion_class

from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.errors import MachineError, UsageError
from autoclave.runtime.folder import Folder
from autoclave.runtime.options import Common, option

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_AUTOCLAVE_COMPLETE"
_MARK = "# autoclave completion"


class Options(Common, frozen=True):
    """Options of `autoclave completion`."""

    shell: Annotated[
        str, option("the shell; none: the one of this user ($SHELL)", argument=True, choices=SHELLS)
    ] = ""
    install: Annotated[bool, option("write it where the shell reads it, for this user")] = False


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    shell = opts.shell or find_shell(os.environ.get("SHELL", ""))
    text = script(shell)
    if not opts.install:
        ctx.screen.result(text, {"shell": shell, "script": text})
        return
    path, note = install(shell, text, home(), os.environ)
    ctx.screen.result(
        f"{shell} completes autoclave from the next shell on: {path}{note}",
        {"shell": shell, "file": str(path)},
    )


def find_shell(program: str) -> str:
    """Return the shell of a user by its program. Raises UsageError for one that is not known."""
    name = Path(program).name
    if name in SHELLS:
        return name
    raise UsageError(
        f"{name or 'the shell'} cannot complete autoclave",
        why=f"SHELL is {program!r}; known are {', '.join(SHELLS)}",
        next="name one: autoclave completion bash",
    )


def script(shell: str) -> str:
    """Return what a shell runs to complete `autoclave`: it asks the command itself."""
    from autoclave.cli.main import program

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"there is no completion for '{shell}'", next=f"one of: {', '.join(SHELLS)}")
    # ShellComplete.source, and not bash's own, which starts a process to find out how old bash is.
    return ShellComplete.source(kind(program, {}, "autoclave", _VARIABLE)).strip() + "\n"


def home() -> Path:
    """Return this user's home folder. Raises MachineError without one."""
    try:
        return Path.home()
    except RuntimeError as error:
        raise MachineError("this user has no home folder", why=str(error), next="set HOME") from error


def install(
    shell: str, text: str, folder: Path, environ: os._Environ[str] | dict[str, str]
) -> tuple[Path, str]:
    """Write a completion where a shell looks for it; return the file, and what else was done.

    bash and fish look in folders of their own. zsh does only when its settings say so: two lines are added to
    ~/.zshrc, once.
    """
    data = data_folder(folder, environ)
    match shell:
        case "bash":
            return Folder(data / "bash-completion" / "completions").write("autoclave", [text.encode()]), ""
        case "fish":
            named = Path(environ.get("XDG_CONFIG_HOME", ""))
            config = named if named.is_absolute() else folder / ".config"
            return Folder(config / "fish" / "completions").write("autoclave.fish", [text.encode()]), ""
    path = Folder(data / "zsh" / "site-functions").write("_autoclave", [text.encode()])
    settings = (folder / ".zshrc").resolve()
    place = Folder(settings.parent)
    before = place.read(settings.name, limit=1 << 20) if place.kind(settings.name) else b""
    if _MARK.encode() in before:
        return path, ""
    lines = f"\n{_MARK}\nfpath=({shlex.quote(str(path.parent))} $fpath); autoload -Uz compinit && compinit\n"
    mode = stat.S_IMODE(settings.stat().st_mode) if before else 0o644
    place.write(settings.name, [before, lines.encode()], mode=mode)
    return path, f"; two lines were added to {settings}"


def data_folder(folder: Path, environ: os._Environ[str] | dict[str, str]) -> Path:
    """Return the folder of this user's data (XDG base directory specification)."""
    named = Path(environ.get("XDG_DATA_HOME", ""))
    return named if named.is_absolute() else folder / ".local" / "share"
