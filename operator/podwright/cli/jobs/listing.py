"""`podwright list`: jobs as a table, or as objects, and their changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from podwright.cli import options

if TYPE_CHECKING:
    from podwright.cli.job_client import JobClient

_COLUMNS = ("NAME", "PHASE", "PROGRESS", "ATTEMPTS", "AGE", "REASON")
_LEAST_WIDTH = 10


def list_(
    *,
    phase: Annotated[str, typer.Option(metavar="PHASE", help="Only jobs in this phase, such as Running.")] = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on with every change.")] = False,
    output: Annotated[
        options.ListFormat, typer.Option("--output", "-o", help="In which form.")
    ] = options.ListFormat.TABLE,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Leave out the headings.")] = False,
    selection: options.Selection,
) -> None:
    """List jobs."""
    show(
        selection.client(),
        selector=selection.selector,
        fields=with_phase(selection.fields, phase),
        output=output,
        no_headers=no_headers,
        watch=watch,
    )


def with_phase(fields: str, phase: str) -> str:
    """Add a phase to a field selector; how it is capitalized doesn't matter.

    Raises:
        CommandError: there is no such phase.
    """
    from podwright.cli.errors import CommandError
    from podwright.core.run.phase import Phase

    if not phase:
        return fields
    known = {each.lower(): str(each) for each in Phase}
    if phase.lower() not in known:
        raise CommandError(f"There is no phase {phase}.", remedy=f"The phases are {', '.join(Phase)}.")
    return ",".join(filter(None, (fields, f"status.phase={known[phase.lower()]}")))


def show(
    client: JobClient, *, selector: str, fields: str, output: options.ListFormat, no_headers: bool, watch: bool
) -> None:
    """Print the jobs that the selectors select, and with `watch` their changes for ever."""
    from podwright.cli.output import print_objects, remark

    wide = output is options.ListFormat.WIDE
    if wide or output is options.ListFormat.TABLE:
        _show_table(client, selector=selector, fields=fields, wide=wide, no_headers=no_headers, watch=watch)
    elif watch:
        _watch_objects(client, selector=selector, fields=fields, output=output)
    else:
        jobs = client.all(selector=selector, fields=fields)
        if not jobs and output is options.ListFormat.NAME:
            remark(f"No jobs found in {client.where}.")
        print_objects(jobs, output, as_list=True)


def _show_table(client: JobClient, *, selector: str, fields: str, wide: bool, no_headers: bool, watch: bool) -> None:
    from podwright.cli.output import print_lines, remark
    from podwright.cli.table import headings_of, layout, rows_of, widths_of

    offered: tuple[str, ...] = ()
    rows = []
    for table in client.tables(selector=selector, fields=fields):
        offered = headings_of(table) or offered
        wanted = columns(offered, wide=wide, everywhere=client.everywhere)
        rows += rows_of(table, offered=offered, wanted=wanted)
    wanted = columns(offered, wide=wide, everywhere=client.everywhere)
    if not rows and not watch:
        remark(f"No jobs found in {client.where}.")
        return
    if not watch:
        print_lines(layout(wanted, rows, no_headers=no_headers))
        return
    # What comes may be wider than what is there.
    widths = [max(width, _LEAST_WIDTH) for width in widths_of(wanted, rows)]
    _watch_table(client, selector=selector, fields=fields, wide=wide, no_headers=no_headers, widths=widths)


def columns(offered: tuple[str, ...], *, wide: bool, everywhere: bool) -> tuple[str, ...]:
    """Choose the columns to show from those that the API server offers."""
    from podwright.cli.table import NAMESPACE

    chosen = offered if wide else tuple(name for name in _COLUMNS if name in offered)
    return (NAMESPACE, *chosen) if everywhere else chosen


def _watch_table(
    client: JobClient, *, selector: str, fields: str, wide: bool, no_headers: bool, widths: list[int]
) -> None:
    """Print a line for each job and each of its changes that shows in it."""
    from podwright.cli.follow import Follower
    from podwright.cli.output import print_lines
    from podwright.cli.table import line, row_of

    shown: dict[str, tuple[str, ...]] = {}
    follower = Follower(client, selector=selector, fields=fields, tables=True)
    for change in follower.changes():
        meta = change.job["metadata"]
        wanted = columns(follower.headings, wide=wide, everywhere=client.everywhere)
        row = row_of(metadata=meta, cells=change.job["cells"] or (), offered=follower.headings, wanted=wanted)
        if not no_headers:
            print_lines([line(wanted, widths)])
            no_headers = True
        if shown.get(meta["uid"]) != row:
            print_lines([line(row, widths)])
        shown[meta["uid"]] = row
        if change.gone:
            del shown[meta["uid"]]


def _watch_objects(client: JobClient, *, selector: str, fields: str, output: str) -> None:
    import sys

    from podwright.cli.follow import Follower
    from podwright.cli.output import print_object
    from podwright.core.constants import names

    between = ""
    for change in Follower(client, selector=selector, fields=fields).changes():
        if not change.gone:
            print(between, end="")
            between = "---\n" if output == options.ListFormat.YAML else ""
            print_object({"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, **change.job}, output)
            sys.stdout.flush()
