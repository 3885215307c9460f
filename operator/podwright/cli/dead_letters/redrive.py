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
        str, typer.Option(metavar="JSON|@FILE", help="Merge patch to apply to the spec of the new jobs.")
    ] = "",
    all_tasks: Annotated[
        bool, typer.Option("--all-tasks", help="Run all tasks of an array again, not only those that did not succeed.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Redrive even dead letters that were redriven 5 times.")
    ] = False,
    again: options.AgainOption = False,
    manner: options.Manner,
    labels: options.Labels,
) -> None:
    """Run dead letters again. A new job, NAME-r1 and so on, takes the place of each.

    It goes on with the work under the same idempotency keys. Safe to repeat if interrupted: nothing is created twice.

    For example:

      podwright dlq redrive -l team=finance --patch '{"retry": {"limit": 5}}'
    """
    from podwright.cli.bulk import parse_rate
    from podwright.cli.dead_letters.redriving import Redrive, read_patch, redrive_all
    from podwright.cli.dead_letters.selection import dead_letters

    gap = parse_rate(rate)
    plan = Redrive(patch=read_patch(patch), all_tasks=all_tasks, force=force, again=again, gap=gap)
    client = labels.client()
    found = dead_letters(client, names or (), selector=labels.selector, every=every)
    redrive_all(client, found, plan, manner=manner)
