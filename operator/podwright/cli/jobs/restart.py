"""`podwright restart` and `podwright retry`: a finished job once more, as a new job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from podwright.cli import options
from podwright.cli.errors import CommandError

if TYPE_CHECKING:
    from podwright.cli.connection import Object
    from podwright.cli.job_client import JobClient
    from podwright.cli.jobs.create_copy import Wish
    from podwright.core.values.index_set import IndexSet

_NewName = Annotated[
    str, typer.Option("--name", metavar="NAME", help="Name of the new job. Default: NAME-r1 and so on.")
]


def restart(
    *,
    names: options.NeededNames,
    name: _NewName = "",
    force: Annotated[
        bool, typer.Option("--force", help="Also if the job has not finished: then two run at once.")
    ] = False,
    again: options.AgainOption = False,
    manner: options.Manner,
    place: options.Place,
) -> None:
    """Run jobs again from the beginning, as new jobs with the same spec. The old ones stay.

    A job has one restart: asked for again, it is found. Restart the restart for one more.
    """
    from podwright.cli.jobs.copies import Origin
    from podwright.cli.jobs.create_copy import Wish

    wish = Wish(origin=Origin.RESTART, verb="restart", name=name, again=again)
    _run_again(place.client(), names, wish, manner=manner, force=force)


def retry(
    *,
    names: options.NeededNames,
    name: _NewName = "",
    again: options.AgainOption = False,
    manner: options.Manner,
    place: options.Place,
) -> None:
    """Run again what did not succeed, as new jobs: of an array the tasks that failed or never ended, else the job.

    The old jobs stay. A job has one retry: asked for again, it is found.
    """
    from podwright.cli.jobs.copies import Origin
    from podwright.cli.jobs.create_copy import Wish

    wish = Wish(origin=Origin.RESTART, verb="retry", name=name, goes_on=True, again=again)
    _run_again(place.client(), names, wish, manner=manner, only_undone=True)


def _run_again(
    client: JobClient,
    names: list[str],
    wish: Wish,
    *,
    manner: options.Manner,
    only_undone: bool = False,
    force: bool = False,
) -> None:
    from podwright.cli.output import Report, remark

    if wish.name and len(names) > 1:
        raise CommandError("--name is for a single job.")
    jobs = [client.read(each) for each in dict.fromkeys(names)]
    with Report(manner) as report:
        for job in jobs:
            with report.bearing_failures():
                tasks = _tasks(job, only_undone=only_undone, force=force)
                copy, new = _copy(client, job, wish, tasks=tasks, dry_run=manner.dry_run)
                if not new:
                    remark(_found(job, copy))
                report.tell(copy, "created" if new else "unchanged")


def _copy(
    client: JobClient, job: Object, wish: Wish, *, tasks: IndexSet | None, dry_run: options.DryRun
) -> tuple[Object, bool]:
    from podwright.cli.jobs.create_copy import create_copy, find_copy, judge_copy

    if dry_run is options.DryRun.NONE:
        return create_copy(client, job, wish, tasks=tasks)
    existing = find_copy(client, job, wish)
    if existing is not None:
        return existing, False
    if dry_run is options.DryRun.CLIENT:
        return wish.build(job, tasks=tasks), True
    return judge_copy(client, job, wish, tasks=tasks), True


def _tasks(job: Object, *, only_undone: bool, force: bool) -> IndexSet | None:
    """Return the tasks that the new job gets, None for all. Raises CommandError if there must be none."""
    from podwright.cli.jobs.copies import undone
    from podwright.cli.jobs.state import array_of, finished, name_of, phase_of, succeeded

    name = name_of(job)
    if not finished(job) and not force:
        raise CommandError(
            f"{name} has not finished ({phase_of(job) or 'no operator has looked at it'}); a copy would run beside it.",
            remedy=f"Cancel it first: podwright cancel {name} --wait",
        )
    if not only_undone:
        return None
    if array_of(job) is None:
        if succeeded(job):
            raise CommandError(
                f"{name} succeeded: there is nothing to retry.", remedy=f"Run it anew: podwright restart {name}"
            )
        return None
    tasks = undone(job)
    if not tasks:
        raise CommandError(
            f"All tasks of {name} succeeded or were skipped: there is nothing to retry.",
            remedy=f"Run it anew: podwright restart {name}",
        )
    return tasks


def _found(job: Object, copy: Object) -> str:
    from podwright.cli.jobs.state import finished, name_of, phase_of

    told = f"{name_of(job)} was run again already, as {name_of(copy)} ({phase_of(copy) or 'not looked at yet'})."
    return f"{told} To run that again: podwright restart {name_of(copy)}" if finished(copy) else told
