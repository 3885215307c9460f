"""`podwright dlq redrive`: run dead letters again, each as a new job that takes its place."""

from __future__ import annotations

from typing import Annotated

import typer

from podwright.cli import options


def redrive(
    *,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", show_default=False)] = None,
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
    dry_run: options.DryRunOption = options.DryRun.NONE,
    output: options.OutputOption = None,
    selector: options.SelectorOption = "",
    everywhere: options.EverywhereOption = False,
    namespace: options.NamespaceOption = None,
    context: options.ContextOption = None,
    kubeconfig: options.KubeconfigOption = None,
) -> None:
    """Run dead letters again: each becomes a new job, NAME-r1 and so on, and is deleted once that exists.

    If it is interrupted, run it again: nothing is created twice.
    """
    from podwright.cli.bulk import parse_rate
    from podwright.cli.dead_letters.redriving import Redrive, read_patch, redrive_all
    from podwright.cli.dead_letters.selection import dead_letters

    gap = parse_rate(rate)
    plan = Redrive(patch=read_patch(patch), all_tasks=all_tasks, force=force, again=again, gap=gap)
    client = options.connect(kubeconfig=kubeconfig, context=context, namespace=namespace, everywhere=everywhere)
    found = dead_letters(client, names or (), selector=selector, every=every)
    redrive_all(client, found, plan, dry_run=dry_run, output=output)
