"""Entry point of `podwright` and `kubectl-podwright`: puts the commands together and prints their errors.

A new group of commands is a module of this package with a `typer.Typer` named `app`, added here. Such a module imports
nothing slow at its top, since all of them are loaded for every call, even for `--help`.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

import podwright
from podwright.cli import dev, operator
from podwright.cli.dead_letters import commands as dead_letters
from podwright.cli.demo.command import demo
from podwright.cli.errors import CommandError
from podwright.cli.jobs import commands as jobs

app = typer.Typer(
    help="Podwright: jobs, workflows and queues as Kubernetes resources.",
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


def main() -> None:
    """Run the command that `sys.argv` names. Exits with 0, with 1 and one message, or with 2 if misused."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A job's words may hold what the terminal's character set has not; standard error escapes it by itself.
        sys.stdout.reconfigure(errors="backslashreplace")
    name = "kubectl podwright" if Path(sys.argv[0]).name == "kubectl-podwright" else "podwright"
    try:
        app(prog_name=name)
    except CommandError as error:
        print(f"{name}: {error.problem}", file=sys.stderr)
        if error.remedy:
            print(error.remedy, file=sys.stderr)
        sys.exit(1)
    finally:
        _flush()


def _flush() -> None:
    """Hand on what is left to print. A reader that has gone, such as `head`, is no error worth words."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"podwright {podwright.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    # The callback of the option does it all; this function only declares it.
    del version
