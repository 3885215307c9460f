"""`podwright cancel`: end jobs for good."""

from __future__ import annotations

from typing import Annotated

import typer

from podwright.cli import options
from podwright.cli.errors import MisuseError


def cancel(
    *,
    names: options.Names = None,
    immediate: Annotated[
        bool, typer.Option("--immediate", help="Give the pod 1 second instead of its termination grace period.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the jobs have ended.")] = False,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="Maximum time to wait; then exit with 124.")] = "",
    rate: options.RateOption = "50/s",
    manner: options.Manner,
    selection: options.Selection,
) -> None:
    """Cancel jobs. This can't be undone.

    A job that has already finished stays as it is; that is reported and is not an error.

    Example: podwright cancel report --wait --timeout 1m
    """
    from podwright.cli.arguments import seconds_option
    from podwright.cli.jobs.edits import Edit, apply_to
    from podwright.cli.jobs.waiting import TIMEOUT, interruptible, wait_for
    from podwright.cli.output import news
    from podwright.cli.patience import Deadline

    seconds = seconds_option(timeout, option="--timeout")
    if seconds is not None and not wait:
        raise MisuseError("--timeout has no effect without --wait.", remedy="Add --wait.")
    client = selection.client()
    waits = wait and manner.dry_run is options.DryRun.NONE
    done = "being cancelled" if waits else "cancelled"
    edit = Edit(verb="cancel", spec={"cancel": "Immediate" if immediate else "Graceful"}, done=done)
    edited = apply_to(client, names or (), edit, selection, rate=rate, manner=manner)
    if not waits:
        return
    # That they did not succeed is what was wanted here.
    with interruptible(edited, left="the cancellation goes on"):
        code = wait_for(client, edited, deadline=Deadline(seconds), tell=news(manner.output))
    if code == TIMEOUT:
        raise typer.Exit(TIMEOUT)
