"""The options that verbs share, by kubectl's names: one by one, and in groups that a verb takes as a whole.

Loaded for every call, so it imports nothing slow.
"""

from __future__ import annotations

import enum
import functools
import inspect
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from collections.abc import Callable

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


Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", show_default=False)]
NeededNames = Annotated[list[str], typer.Argument(metavar="NAME", show_default=False)]
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


@dataclass(frozen=True, kw_only=True)
class Place:
    """The cluster and the namespace where a verb acts."""

    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", metavar="NAME", help="The namespace. Default: the context's.")
    ] = None
    context: Annotated[
        str | None,
        typer.Option("--context", metavar="NAME", help="The context of the kubeconfig. Default: its current one."),
    ] = None
    kubeconfig: Annotated[
        str | None,
        typer.Option("--kubeconfig", metavar="FILE", help="The kubeconfig. Default: as kubectl finds it."),
    ] = None

    def client(self) -> JobClient:
        """Find the user's cluster; nothing is sent yet.

        Raises:
            CommandError: there is none.
        """
        return self._client(everywhere=False)

    def _client(self, *, everywhere: bool) -> JobClient:
        from podwright.cli.connection import Connection
        from podwright.cli.job_client import JobClient

        connection = Connection.open(kubeconfig=self.kubeconfig, context=self.context)
        return JobClient(connection, namespace=self.namespace or connection.namespace, everywhere=everywhere)


@dataclass(frozen=True, kw_only=True)
class Labels(Place):
    """Jobs by their labels, perhaps of all namespaces."""

    selector: Annotated[
        str,
        typer.Option("--selector", "-l", metavar="LABELS", help="Only jobs with these labels. Example: team=finance"),
    ] = ""
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Jobs of all namespaces.")] = False

    def client(self) -> JobClient:
        """Find the user's cluster, see `Place`; lists are of all namespaces if that is wanted."""
        return self._client(everywhere=self.everywhere)


@dataclass(frozen=True, kw_only=True)
class Selection(Labels):
    """Jobs by their labels and fields, perhaps of all namespaces."""

    fields: Annotated[
        str,
        typer.Option(
            "--field-selector", metavar="FIELDS", help="Only jobs with these fields. Example: status.phase=Running"
        ),
    ] = ""


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a verb changes jobs, and how it tells of that."""

    dry_run: DryRunOption = DryRun.NONE
    output: Annotated[Format | None, typer.Option("--output", "-o", help="Print the objects in this form instead.")] = (
        None
    )


def as_command(verb: Callable[..., None]) -> Callable[..., None]:
    """Make a verb known to typer, which has no groups of options: the fields of each dataclass become parameters."""
    signature = inspect.signature(verb, eval_str=True)
    groups: dict[str, Any] = {
        name: each.annotation for name, each in signature.parameters.items() if is_dataclass(each.annotation)
    }

    @functools.wraps(verb)
    def command(**values: Any) -> None:
        filled = {
            name: group(**{field.name: values.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        verb(**values, **filled)

    unfolded: list[inspect.Parameter] = []
    for name, each in signature.parameters.items():
        unfolded += inspect.signature(groups[name], eval_str=True).parameters.values() if name in groups else (each,)
    vars(command)["__signature__"] = signature.replace(parameters=unfolded)
    return command


class Command(TyperCommand):
    """A command that knows `--dry-run` without a value."""

    def parse_args(self, ctx, args: list[str]) -> list[str]:  # type: ignore[no-untyped-def]
        """Complete it before the arguments are read; called by typer."""
        own, dashes, rest = _cut_at_dashes(args)
        return super().parse_args(ctx, [*with_dry_run_value(own), *dashes, *rest])


class ArgumentsAfterDashes(Command):
    """A command that keeps what follows `--` apart from its own arguments."""

    def parse_args(self, ctx, args: list[str]) -> list[str]:  # type: ignore[no-untyped-def]
        """Take them off before the rest is read; called by typer."""
        own, _, ctx.meta[_AFTER_DASHES] = _cut_at_dashes(args)
        return super().parse_args(ctx, own)


def _cut_at_dashes(arguments: list[str]) -> tuple[list[str], list[str], list[str]]:
    position = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:position], arguments[position : position + 1], arguments[position + 1 :]


def after_dashes(context: typer.Context) -> list[str]:
    """Return what followed `--` on the command line."""
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
