"""`podwright wait`: until jobs have ended."""

from __future__ import annotations

from typing import Annotated

import typer

from podwright.cli import options
from podwright.cli.errors import CommandError


def wait(
    *,
    names: options.Names = None,
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="Maximum time to wait, such as 10m. Default: no limit.")
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Don't print jobs as they finish.")] = False,
    selection: options.Selection,
) -> None:
    """Wait until jobs have finished, whatever the outcome.

    Exits with 0 if all succeeded, with 1 if any did not or none was found, and with 124 if --timeout was over first.

    Example: podwright wait report --timeout 1h
    """
    from podwright.cli.arguments import seconds_option
    from podwright.cli.bulk import chosen
    from podwright.cli.jobs.waiting import interruptible, wait_for
    from podwright.cli.output import print_line
    from podwright.cli.patience import Deadline

    seconds = seconds_option(timeout, option="--timeout")
    client = selection.client()
    jobs = chosen(client, names or (), selector=selection.selector, fields=selection.fields, every=selection.everywhere)
    if not jobs:
        raise CommandError(
            f"{client.none_found(filtered=bool(selection.selector or selection.fields))} There is nothing to wait for."
        )
    tell = (lambda line: None) if quiet else print_line
    with interruptible(jobs):
        code = wait_for(client, jobs, deadline=Deadline(seconds), tell=tell)
    raise typer.Exit(code)
