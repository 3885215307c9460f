"""`podwright get`: one job, described for people or as an object."""

from __future__ import annotations

from typing import Annotated

import typer

from podwright.cli import options
from podwright.cli.errors import CommandError


def get(
    *,
    names: options.NeededNames,
    output: Annotated[
        options.ListFormat | None, typer.Option("--output", "-o", help="Default: a description for people.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Print a line for every change.")] = False,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Leave out the headings of a table.")] = False,
    place: options.Place,
) -> None:
    """Show jobs: phase, reason, tasks, attempts, outputs."""
    import time

    from podwright.cli.jobs.description import describe
    from podwright.cli.jobs.listing import show
    from podwright.cli.output import print_lines, print_objects

    client = place.client()
    found = [client.read(name) for name in dict.fromkeys(names)]
    if watch or output in (options.ListFormat.TABLE, options.ListFormat.WIDE):
        if len(found) > 1:
            raise CommandError(
                "A table of chosen jobs is for one of them.", remedy="`podwright list -l` selects by labels."
            )
        show(
            client,
            selector="",
            fields=f"metadata.name={found[0]['metadata']['name']}",
            output=output or options.ListFormat.TABLE,
            no_headers=no_headers,
            watch=watch,
        )
    elif output is not None:
        print_objects(found, output, as_list=False)
    else:
        for number, job in enumerate(found):
            print_lines([*([""] if number else []), *describe(job, now=time.time())])
