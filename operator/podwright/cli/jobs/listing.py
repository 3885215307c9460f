"""`podwright list`: jobs as a table, or as objects, and their changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from podwright.cli import completion, options

if TYPE_CHECKING:
    from podwright.cli.job_client import JobClient

_COLUMNS = ("NAME", "PHASE", "PROGRESS", "ATTEMPTS", "DURATION", "AGE", "REASON")
_LEAST_WIDTH = 10

PhaseOption = Annotated[
    str,
    typer.Option(
        metavar="PHASE[,PHASE]",
        help="Only jobs in these phases, such as Failed,Running.",
        autocompletion=completion.phases,
    ),
]
SortOption = Annotated[
    str,
    typer.Option(
        metavar="KEY",
        help="age (newest first), name, created, phase, reason, priority, attempts, started, finished, or a path such as .status.phase.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class View:
    """How jobs are shown, and which ones."""

    selector: str = ""
    fields: str = ""
    filtered: bool = False
    output: str = options.ListFormat.TABLE
    sort_by: str = "age"
    no_headers: bool = False
    watch: bool = False

    @property
    def wide(self) -> bool:
        """Whether all columns are shown."""
        return self.output == options.ListFormat.WIDE

    @property
    def as_table(self) -> bool:
        """Whether people read it."""
        return self.wide or self.output == options.ListFormat.TABLE


def list_(
    *,
    phase: PhaseOption = "",
    sort_by: SortOption = "age",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep printing changes.")] = False,
    output: options.ListOutput = options.ListFormat.TABLE.value,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Don't print column headings.")] = False,
    selection: options.Selection,
) -> None:
    r"""List jobs, newest first.

    For example:

      podwright list --phase Running,Pending

      podwright list -A --sort-by finished -l team=finance

      podwright list -o jsonpath='{range .items[*]}{.metadata.name}{"\n"}{end}'
    """
    options.require_list_format(output)
    view = View(
        selector=selection.selector,
        fields=with_phases(selection.fields, phase),
        filtered=bool(selection.selector or selection.fields or phase),
        output=output,
        sort_by=sort_by,
        no_headers=no_headers,
        watch=watch,
    )
    show(selection.client(), view)


def with_phases(fields: str, phases: str) -> str:
    """Add phases to a field selector; how they are capitalized doesn't matter. A job without a phase counts as Pending.

    Raises:
        MisuseError: there is no such phase.
    """
    from podwright.cli.errors import MisuseError
    from podwright.core.model.phase import Phase

    known = {each.lower(): each for each in Phase}
    wanted = set()
    for name in filter(None, (each.strip() for each in phases.split(","))):
        if name.lower() not in known:
            raise MisuseError(f"There is no phase {name}.", remedy=f"The phases are {', '.join(Phase)}.")
        wanted.add(known[name.lower()])
    if not wanted:
        return fields
    if len(wanted) == 1 and Phase.PENDING not in wanted:
        added = [f"status.phase={wanted.pop()}"]
    else:
        # A field selector knows no "or": so all others are excluded.
        added = [f"status.phase!={phase}" for phase in Phase if phase not in wanted]
        added += [] if Phase.PENDING in wanted else ["status.phase!="]
    return ",".join(filter(None, (fields, *added)))


def show(client: JobClient, view: View) -> None:
    """Print jobs, and with `watch` their changes for ever."""
    from podwright.cli.jobs.order import in_order
    from podwright.cli.output import print_objects, remark

    if view.as_table:
        _show_table(client, view)
    elif view.watch:
        _watch_objects(client, view)
    else:
        jobs = in_order(client.all(selector=view.selector, fields=view.fields), view.sort_by)
        if not jobs and view.output == options.ListFormat.NAME:
            remark(client.none_found(filtered=view.filtered))
        print_objects(jobs, view.output, as_list=True)


def _show_table(client: JobClient, view: View) -> None:
    from podwright.cli.jobs.order import in_order, needs_objects
    from podwright.cli.output import print_lines, remark
    from podwright.cli.table import headings_of, layout, rows_of, widths_of

    offered: tuple[str, ...] = ()
    found: list[dict[str, Any]] = []
    whole = needs_objects(view.sort_by)
    for table in client.tables(selector=view.selector, fields=view.fields, whole=whole):
        offered = headings_of(table) or offered
        found += [{**(row.get("object") or {}), "row": row} for row in table.get("rows") or ()]
    wanted = columns(offered, wide=view.wide, everywhere=client.everywhere)
    ordered = {"rows": [item["row"] for item in in_order(found, view.sort_by)]}
    rows = with_pending(rows_of(ordered, offered=offered, wanted=wanted), wanted)
    if not rows and not view.watch:
        remark(client.none_found(filtered=view.filtered))
        return
    if not view.watch:
        print_lines(layout(wanted, rows, no_headers=view.no_headers))
        return
    # What comes may be wider than what is there.
    widths = [max(width, _LEAST_WIDTH) for width in widths_of(wanted, rows)]
    _watch_table(client, view, widths=widths)


def columns(offered: tuple[str, ...], *, wide: bool, everywhere: bool) -> tuple[str, ...]:
    """Choose the columns to show from those that the API server offers."""
    from podwright.cli.table import NAMESPACE

    chosen = offered if wide else tuple(name for name in _COLUMNS if name in offered)
    return (NAMESPACE, *chosen) if everywhere else chosen


def with_pending(rows: list[tuple[str, ...]], wanted: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Show the phase of jobs that no operator has reconciled yet as Pending, which is what it means."""
    from podwright.cli.table import NOTHING
    from podwright.core.model.phase import Phase

    if "PHASE" not in wanted:
        return rows
    at = wanted.index("PHASE")
    return [(*row[:at], Phase.PENDING.value, *row[at + 1 :]) if row[at] == NOTHING else row for row in rows]


def _watch_table(client: JobClient, view: View, *, widths: list[int]) -> None:
    """Print a line for each job and each of its changes that shows in it."""
    from podwright.cli.follow import Follower
    from podwright.cli.jobs.order import NEWEST_FIRST, in_order, needs_objects
    from podwright.cli.output import print_lines
    from podwright.cli.table import line, row_of

    shown: dict[str, tuple[str, ...]] = {}
    no_headers = view.no_headers
    # A watch tells of no more than metadata and cells.
    sort_by = NEWEST_FIRST if needs_objects(view.sort_by) else view.sort_by
    follower = Follower(
        client, selector=view.selector, fields=view.fields, tables=True, order=lambda jobs: in_order(jobs, sort_by)
    )
    for change in follower.changes():
        meta = change.job["metadata"]
        wanted = columns(follower.headings, wide=view.wide, everywhere=client.everywhere)
        cells = row_of(metadata=meta, cells=change.job["cells"] or (), offered=follower.headings, wanted=wanted)
        (row,) = with_pending([cells], wanted)
        if not no_headers:
            print_lines([line(wanted, widths)])
            no_headers = True
        if shown.get(meta["uid"]) != row:
            print_lines([line(row, widths)])
        shown[meta["uid"]] = row
        if change.gone:
            del shown[meta["uid"]]


def _watch_objects(client: JobClient, view: View) -> None:
    import sys

    from podwright.cli.follow import Follower
    from podwright.cli.output import print_object
    from podwright.core.constants import names

    between = ""
    for change in Follower(client, selector=view.selector, fields=view.fields).changes():
        if not change.gone:
            print(between, end="")
            between = "---\n" if view.output == options.ListFormat.YAML else ""
            print_object({"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, **change.job}, view.output)
            sys.stdout.flush()
