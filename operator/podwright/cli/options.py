"""The options that all verbs share, by kubectl's names, and how a verb gets its `JobClient` from them.

Loaded for every call, so it imports nothing slow.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from podwright.cli.job_client import JobClient

_AFTER_DASHES = "podwright.command"


class DryRun(enum.StrEnum):
    """What `--dry-run` takes."""

    NONE = "none"
    CLIENT = "client"
    SERVER = "server"


class Format(enum.StrEnum):
    """What `--output` takes where single objects are told of."""

    NAME = "name"
    JSON = "json"
    YAML = "yaml"


class ListFormat(enum.StrEnum):
    """What `--output` takes where jobs are listed."""

    TABLE = "table"
    WIDE = "wide"
    NAME = "name"
    JSON = "json"
    YAML = "yaml"


KubeconfigOption = Annotated[
    str | None,
    typer.Option("--kubeconfig", metavar="FILE", help="The kubeconfig. Default: as kubectl finds it."),
]
ContextOption = Annotated[
    str | None,
    typer.Option("--context", metavar="NAME", help="The context of the kubeconfig. Default: its current one."),
]
NamespaceOption = Annotated[
    str | None, typer.Option("--namespace", "-n", metavar="NAME", help="The namespace. Default: the context's.")
]
EverywhereOption = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Jobs of all namespaces.")]
SelectorOption = Annotated[
    str, typer.Option("--selector", "-l", metavar="LABELS", help="Only jobs with these labels. Example: team=finance")
]
FieldSelectorOption = Annotated[
    str,
    typer.Option(
        "--field-selector", metavar="FIELDS", help="Only jobs with these fields. Example: status.phase=Running"
    ),
]
OutputOption = Annotated[Format | None, typer.Option("--output", "-o", help="Print the objects in this form instead.")]
DryRunOption = Annotated[
    DryRun,
    typer.Option(
        "--dry-run", help="client: only say what would be done. server: let the API server judge, and keep nothing."
    ),
]
RateOption = Annotated[
    str, typer.Option("--rate", metavar="N/s", help="Most of them in a second (or N/m in a minute).")
]
AgainOption = Annotated[
    bool, typer.Option("--again", help="Also what was to be run again before, if the new job is not there (any more).")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class ArgumentsAfterDashes(TyperCommand):
    """A command that keeps what follows `--` apart from its own arguments, and knows `--dry-run` without a value."""

    def parse_args(self, ctx, args: list[str]) -> list[str]:  # type: ignore[no-untyped-def]
        """Take them off before the rest is read; called by typer."""
        own = args
        if "--" in args:
            position = args.index("--")
            own, ctx.meta[_AFTER_DASHES] = args[:position], args[position + 1 :]
        return super().parse_args(ctx, with_dry_run_value(own))


def after_dashes(context: typer.Context) -> list[str]:
    """Give what followed `--` on the command line."""
    found: list[str] = context.meta.get(_AFTER_DASHES, [])
    return found


def with_dry_run_value(arguments: list[str]) -> list[str]:
    """Complete a `--dry-run` without a value, which means client, as it did in kubectl."""
    whole: list[str] = []
    for argument in arguments:
        if whole and whole[-1] == "--dry-run":
            if argument in list(DryRun):
                whole[-1] = f"--dry-run={argument}"
                continue
            whole[-1] = "--dry-run=client"
        whole.append(argument)
    if whole and whole[-1] == "--dry-run":
        whole[-1] = "--dry-run=client"
    return whole


def connect(
    *, kubeconfig: str | None, context: str | None, namespace: str | None = None, everywhere: bool = False
) -> JobClient:
    """Find the user's cluster; nothing is sent yet.

    Raises:
        CommandError: there is none.
    """
    from podwright.cli.connection import Connection
    from podwright.cli.job_client import JobClient

    connection = Connection.open(kubeconfig=kubeconfig, context=context)
    return JobClient(connection, namespace=namespace or connection.namespace, everywhere=everywhere)
