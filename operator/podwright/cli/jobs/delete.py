"""`podwright delete`: remove jobs, also many at once."""

from __future__ import annotations

from typing import Annotated

import typer

from podwright.cli import options
from podwright.cli.errors import MisuseError
from podwright.cli.jobs.listing import PhaseOption, with_phases


def delete(
    *,
    names: options.Names = None,
    phase: PhaseOption = "",
    older_than: Annotated[
        str, typer.Option(metavar="DURATION", help="Only jobs that finished longer ago than this, such as 7d.")
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="All jobs, including running ones.")] = False,
    yes: options.YesOption = False,
    rate: options.RateOption = "50/s",
    dry_run: options.DryRunOption = options.DryRun.NONE,
    selection: options.Selection,
) -> None:
    """Delete jobs and their pods. Running jobs are stopped.

    Asks for confirmation unless jobs are named.

    For example:

      podwright delete report

      podwright delete --phase Succeeded,Failed --older-than 7d --yes
    """
    from podwright.cli.arguments import seconds_option
    from podwright.cli.jobs.deletion import delete_jobs, finished_before

    age = seconds_option(older_than, option="--older-than")
    client = selection.client()
    fields = with_phases(selection.fields, phase)
    if names and (selection.selector or fields or age is not None or every or selection.everywhere):
        raise MisuseError("Give either names or selectors, not both.")
    if names:
        jobs = [client.read(name) for name in dict.fromkeys(names)]
    elif selection.selector or fields or age is not None or every:
        jobs = client.all(selector=selection.selector, fields=fields)
    else:
        raise MisuseError("Which jobs? Give names, or --selector, --phase, --older-than or --all.")
    if age is not None:
        jobs = finished_before(jobs, age=age)
    # What was chosen for its state must still be in it; a finished job stays finished.
    delete_jobs(
        client, jobs, named=bool(names), unchanged=bool(fields), yes=yes, rate=rate, dry_run=dry_run, filtered=not every
    )
