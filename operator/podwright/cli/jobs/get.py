"""`podwright get`: jobs, described for people or as objects."""

from __future__ import annotations

from typing import Annotated

import typer

from podwright.cli import options
from podwright.cli.errors import MisuseError
from podwright.cli.jobs.listing import SortOption, View, show, with_phases

_Watch = Annotated[bool, typer.Option("--watch", "-w", help="Print a line for every change.")]


def get(
    *,
    names: options.Names = None,
    phase: Annotated[str, typer.Option(metavar="PHASE[,PHASE]", help="Without NAME: only jobs in these phases.")] = "",
    sort_by: SortOption = "age",
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar=options.LIST_FORMATS, help="Default: a description of each named job."),
    ] = None,
    watch: _Watch = False,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Don't print column headings.")] = False,
    selection: options.Selection,
) -> None:
    """Show jobs: phase, reason, tasks, attempts, outputs. Without a name, list them.

    For example:

      podwright get report

      podwright get report -o jsonpath='{.status.phase}'
    """
    import time

    from podwright.cli.jobs.description import describe
    from podwright.cli.output import print_lines, print_objects

    if output is not None:
        options.require_list_format(output)
    client = selection.client()
    filters = bool(selection.selector or selection.fields or phase)
    if not names:
        view = View(
            selector=selection.selector,
            fields=with_phases(selection.fields, phase),
            filtered=filters,
            output=output or options.ListFormat.TABLE,
            sort_by=sort_by,
            no_headers=no_headers,
            watch=watch,
        )
        show(client, view)
        return
    if filters or selection.everywhere:
        raise MisuseError("Give either names or selectors, not both.")
    found = [client.read(name) for name in dict.fromkeys(names)]
    if watch or output in (options.ListFormat.TABLE, options.ListFormat.WIDE):
        if len(found) > 1:
            raise MisuseError(
                "Only one named job can be shown as a table or watched.",
                remedy="`podwright list -l` selects by labels.",
            )
        fields = f"metadata.name={found[0]['metadata']['name']}"
        show(
            client,
            View(fields=fields, output=output or options.ListFormat.TABLE, no_headers=no_headers, watch=watch),
        )
    elif output is not None:
        print_objects(found, output, as_list=False)
    else:
        for number, job in enumerate(found):
            print_lines([*([""] if number else []), *describe(job, now=time.time())])


def describe(*, names: options.NeededNames, place: options.Place) -> None:
    """Describe jobs, like `podwright get NAME`."""
    import time

    from podwright.cli.jobs.description import describe as description
    from podwright.cli.output import print_lines

    client = place.client()
    for number, job in enumerate([client.read(name) for name in dict.fromkeys(names)]):
        print_lines([*([""] if number else []), *description(job, now=time.time())])


def watch(*, names: options.Names = None, selection: options.Selection) -> None:
    """Print jobs and their changes, like `podwright list --watch`, or those of one job."""
    client = selection.client()
    if names and len(set(names)) > 1:
        raise MisuseError("Only one named job can be watched.", remedy="`podwright list -w -l` selects by labels.")
    fields = selection.fields
    if names:
        fields = f"metadata.name={client.read(names[0])['metadata']['name']}"
    show(client, View(selector=selection.selector, fields=fields, watch=True))
