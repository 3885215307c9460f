"""Entry point of `podwright` and `kubectl-podwright`: puts the commands together and prints their errors.

A new group of commands is a module of this package with a `typer.Typer` named `app`, added here. Such a module imports
nothing slow at its top, since all of them are loaded for every call, even for `--help`.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.core import TyperGroup

import podwright
from podwright.cli import completion, dev, operator
from podwright.cli.dead_letters import commands as dead_letters
from podwright.cli.demo.command import demo
from podwright.cli.errors import CommandError, MisuseError
from podwright.cli.jobs import commands as jobs
from podwright.cli.usage import Program

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)

app = typer.Typer(
    cls=Program,
    help="Podwright runs jobs on Kubernetes: with retries, arrays, dependencies and a record of every attempt.",
    epilog="`podwright COMMAND --help` shows the options and examples of a command.",
    context_settings={"help_option_names": ["--help", "-h"]},
    # `podwright completion` prints the script, as other programs for Kubernetes do.
    add_completion=False,
    no_args_is_help=True,
    # Rich would double the time that --help takes, and a traceback in colours is still a traceback.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(jobs.app)
app.add_typer(dead_letters.app, name="dlq")
dev.app.command()(demo)
app.add_typer(dev.app, name="dev")
app.add_typer(operator.app, name="operator")
about = typer.Typer(rich_markup_mode=None)
about.command()(completion.completion)


def main() -> None:
    """Run the command that `sys.argv` names. Exits with 0, with 1 and one message, or with 2 if misused."""
    _require_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A job's words may hold what the terminal's character set has not; standard error escapes it by itself.
        sys.stdout.reconfigure(errors="backslashreplace")
    name = "kubectl podwright" if Path(sys.argv[0]).name == "kubectl-podwright" else "podwright"
    try:
        if completion.VARIABLE in os.environ:
            completion.prepare()
        app(prog_name=name, complete_var=completion.VARIABLE)
    except CommandError as error:
        print(f"{name}: {error.problem}", file=sys.stderr)
        if error.remedy:
            print(error.remedy, file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in _UNWRITABLE or error.filename is not None:
            raise
        _give_up(name, error)
    finally:
        _flush(name)


def _require_streams() -> None:
    """Make sure that there are standard streams. Without a standard output there is nobody to give results to."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - it is for the whole program
    if sys.stdout is None:
        print("podwright: standard output is closed.", file=sys.stderr)
        sys.exit(1)


def _flush(name: str) -> None:
    """Write what is left to print. A reader that has gone, such as `head`, is no error worth words."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
    except OSError as error:
        _give_up(name, error)


def _give_up(name: str, error: OSError) -> NoReturn:
    _discard_output()
    print(f"{name}: cannot write the output: {error.strerror}.", file=sys.stderr)
    sys.exit(1)


def _discard_output() -> None:
    # Python flushes once more at its end, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"podwright {podwright.__version__}")
        raise typer.Exit


@about.command("version")
def _version() -> None:
    """Print the version."""
    print(f"podwright {podwright.__version__}")


@about.command("help")
def _help(
    context: typer.Context,
    command: Annotated[list[str] | None, typer.Argument(metavar="COMMAND", hidden=True)] = None,
) -> None:
    """Show the help of a command, or the list of commands."""
    assert context.parent is not None  # noqa: S101 - it is a command of the program
    group, path = context.parent.command, context.parent
    for name in command or ():
        found = group.get_command(path, name) if isinstance(group, TyperGroup) else None
        if found is None:
            raise MisuseError(f"There is no command {' '.join(command or ())}.", remedy="podwright help lists them.")
        group, path = found, typer.Context(found, info_name=name, parent=path)
    print(path.get_help())


app.add_typer(about)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    # The callback of the option does it all; this function only declares it.
    del version
