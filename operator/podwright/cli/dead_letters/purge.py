"""`podwright dlq purge`: delete dead letters."""

from __future__ import annotations

from typing import Annotated

import typer

from podwright.cli import options


def purge(
    *,
    names: options.Names = None,
    every: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    older_than: Annotated[
        str, typer.Option(metavar="DURATION", help="Only dead letters that finished longer ago than this, such as 7d.")
    ] = "",
    yes: options.YesOption = False,
    rate: options.RateOption = "50/s",
    dry_run: options.DryRunOption = options.DryRun.NONE,
    labels: options.Labels,
) -> None:
    """Delete dead letters permanently. Asks for confirmation; without a terminal, --yes is required."""
    from podwright.cli.arguments import seconds_option
    from podwright.cli.dead_letters.selection import dead_letters
    from podwright.cli.jobs.deletion import delete_jobs, finished_before

    age = seconds_option(older_than, option="--older-than")
    client = labels.client()
    found = dead_letters(client, names or (), selector=labels.selector, every=every or (age is not None and not names))
    if age is not None:
        found = finished_before(found, age=age)
    delete_jobs(client, found, named=False, unchanged=False, yes=yes, rate=rate, dry_run=dry_run, what="dead letter")
