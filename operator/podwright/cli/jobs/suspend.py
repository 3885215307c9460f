"""`podwright suspend` and `podwright resume`: stop the pods of jobs and let them go on."""

from __future__ import annotations

from podwright.cli import options


def suspend(
    *,
    names: options.Names = None,
    rate: options.RateOption = "50/s",
    manner: options.Manner,
    selection: options.Selection,
) -> None:
    """Suspend jobs.

    Their pods are stopped, and none starts until the jobs are resumed.
    """
    from podwright.cli.jobs.edits import Edit, apply_to

    edit = Edit(verb="suspend", spec={"suspend": True}, done="suspended", needs_unfinished=True)
    apply_to(selection.client(), names or (), edit, selection, rate=rate, manner=manner)


def resume(
    *,
    names: options.Names = None,
    rate: options.RateOption = "50/s",
    manner: options.Manner,
    selection: options.Selection,
) -> None:
    """Resume suspended jobs. Their total timeout counts from now."""
    from podwright.cli.jobs.edits import Edit, apply_to

    edit = Edit(verb="resume", spec={"suspend": False}, done="resumed", needs_unfinished=True)
    apply_to(selection.client(), names or (), edit, selection, rate=rate, manner=manner)
