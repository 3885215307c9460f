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

from podwright.cli import completion

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
    """What `--output` takes where a command reports on single objects."""

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


JSONPATH = "jsonpath="
LIST_FORMATS = "|".join([*ListFormat, f"{JSONPATH}TEMPLATE"])
ListOutput = Annotated[str, typer.Option("--output", "-o", metavar=LIST_FORMATS, help="Output format.")]


def require_list_format(text: str) -> None:
    """Refuse an output format that there isn't.

    Raises:
        BadParameter: there is no such format.
    """
    if text not in list(ListFormat) and not text.startswith(JSONPATH):
        raise typer.BadParameter(f"{text!r} is not one of {LIST_FORMATS}.", param_hint="'--output' / '-o'")


# Hidden are arguments that need no words of their own: they stay in the usage line; below it only their Python types would be added.
Name = Annotated[str, typer.Argument(metavar="NAME", hidden=True, autocompletion=completion.job_names)]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", hidden=True, autocompletion=completion.job_names)]
NeededNames = Annotated[list[str], typer.Argument(metavar="NAME", hidden=True, autocompletion=completion.job_names)]
OutputOption = Annotated[Format | None, typer.Option("--output", "-o", help="Print the objects in this format.")]
DryRunOption = Annotated[
    DryRun,
    typer.Option(
        "--dry-run",
        help="client: only print what would be done. server: let the API server check it, without saving anything.",
    ),
]
RateOption = Annotated[
    str, typer.Option("--rate", metavar="N/s", help="Maximum number of jobs per second, or N/m per minute.")
]
AgainOption = Annotated[
    bool, typer.Option("--again", help="Create a new job even if an earlier one has finished or is gone.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask for confirmation.")]


@dataclass(frozen=True, kw_only=True)
class Place:
    """The cluster and the namespace where a verb acts."""

    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            metavar="NAME",
            help="Namespace. Default: that of the context.",
            autocompletion=completion.namespaces,
        ),
    ] = None
    context: Annotated[
        str | None,
        typer.Option(
            "--context",
            metavar="NAME",
            help="Context of the kubeconfig. Default: the current one.",
            autocompletion=completion.contexts,
        ),
    ] = None
    kubeconfig: Annotated[
        str | None,
        typer.Option("--kubeconfig", metavar="FILE", help="Kubeconfig file. Default: the one that kubectl uses."),
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
        typer.Option("--selector", "-l", metavar="LABELS", help="Only jobs with these labels, such as team=finance."),
    ] = ""
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Jobs in all namespaces.")] = False

    def client(self) -> JobClient:
        """Find the user's cluster, see `Place`; lists are of all namespaces if that is wanted."""
        return self._client(everywhere=self.everywhere)


@dataclass(frozen=True, kw_only=True)
class Selection(Labels):
    """Jobs by their labels and fields, perhaps of all namespaces."""

    fields: Annotated[
        str,
        typer.Option(
            "--field-selector",
            metavar="FIELDS",
            help="Only jobs with these field values, such as metadata.name=report.",
        ),
    ] = ""


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a verb changes jobs, and how it reports that."""

    dry_run: DryRunOption = DryRun.NONE
    output: Annotated[Format | None, typer.Option("--output", "-o", help="Print the objects in this format.")] = None


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
