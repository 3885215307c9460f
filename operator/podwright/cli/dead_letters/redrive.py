"""`podwright dlq redrive`: run dead letters again, each as a new job that takes its place."""

from __future__ import annotations

from typing import Annotated

import typer

from podwright.cli import options


def redrive(
    *,
    names: options.Names = None,
    every: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    rate: options.RateOption = "10/s",
    patch: Annotated[
        str, typer.Option(metavar="JSON|@FILE", help="Change the spec of the new jobs by this merge patch.")
    ] = "",
    all_tasks: Annotated[
        bool, typer.Option("--all-tasks", help="Of an array run all tasks again, not only those that did not succeed.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Also what was redriven 5 times already.")] = False,
    again: options.AgainOption = False,
    manner: options.Manner,
    labels: options.Labels,
) -> None:
    """Run dead letters again: each becomes a new job, NAME-r1 and so on, and is deleted once that exists.

    If it is interrupted, run it again: nothing is created twice.
    """
    from podwright.cli.bulk import parse_rate
    from podwright.cli.dead_letters.redriving import Redrive, read_patch, redrive_all
    from podwright.cli.dead_letters.selection import dead_letters

    gap = parse_rate(rate)
    plan = Redrive(patch=read_patch(patch), all_tasks=all_tasks, force=force, again=again, gap=gap)
    client = labels.client()
    found = dead_letters(client, names or (), selector=labels.selector, every=every)
    redrive_all(client, found, plan, manner=manner)
