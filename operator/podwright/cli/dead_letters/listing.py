"""`podwright dlq list`: the dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from podwright.cli import options

if TYPE_CHECKING:
    from podwright.cli.connection import Object

_COLUMNS = ("NAME", "REASON", "ATTEMPTS", "REDRIVES", "FINISHED", "MESSAGE")
_MESSAGE_LENGTH = 80


def list_(
    *,
    output: Annotated[
        options.ListFormat, typer.Option("--output", "-o", help="Output format; wide shows whole messages.")
    ] = options.ListFormat.TABLE,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Don't print column headings.")] = False,
    labels: options.Labels,
) -> None:
    """List dead letters, and how often each has been redriven."""
    import time

    from podwright.cli.dead_letters.selection import FIELDS
    from podwright.cli.output import print_lines, print_objects, remark
    from podwright.cli.table import layout

    client = labels.client()
    found = client.all(selector=labels.selector, fields=FIELDS)
    if output not in (options.ListFormat.TABLE, options.ListFormat.WIDE):
        print_objects(found, output, as_list=True)
        return
    if not found:
        remark(client.none_found(filtered=bool(labels.selector), what="dead letter"))
        return
    headings = ("NAMESPACE", *_COLUMNS) if labels.everywhere else _COLUMNS
    whole = output is options.ListFormat.WIDE
    rows = [row_of(job, now=time.time(), everywhere=labels.everywhere, whole=whole) for job in found]
    print_lines(layout(headings, rows, no_headers=no_headers))


def row_of(job: Object, *, now: float, everywhere: bool, whole: bool) -> tuple[str, ...]:
    """Return the line of a dead letter. Pure."""
    from podwright.cli.jobs.copies import redrive_count
    from podwright.cli.jobs.state import name_of, status_of
    from podwright.cli.printable import one_line, shortened
    from podwright.cli.table import NOTHING
    from podwright.cli.times import seconds_of, span

    status = status_of(job)
    finished = seconds_of(status.get("finishTime"))
    message = one_line(status.get("message") or NOTHING)
    row = (
        one_line(name_of(job)),
        one_line(status.get("reason") or NOTHING),
        one_line(status.get("attemptCount", 0)),
        str(redrive_count(job)),
        NOTHING if finished is None else f"{span(now - finished)} ago",
        message if whole else shortened(message, limit=_MESSAGE_LENGTH),
    )
    return (one_line(job["metadata"].get("namespace", "")), *row) if everywhere else row
