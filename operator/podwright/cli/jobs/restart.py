"""`podwright restart` and `podwright retry`: a finished job once more, as a new job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from podwright.cli import options
from podwright.cli.errors import CommandError, MisuseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from podwright.cli.connection import Object
    from podwright.cli.job_client import JobClient
    from podwright.cli.jobs.wish import Wish
    from podwright.core.values.index_set import IndexSet

    Step = Callable[[Object], tuple[Object, bool]]


def restart(
    *,
    names: options.NeededNames,
    name: Annotated[
        str,
        typer.Option(
            "--name", metavar="NAME", help="Name of the new job. Each name is another restart. Default: NAME-r1."
        ),
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Restart a job that has not finished: then two run at once.")
    ] = False,
    again: options.AgainOption = False,
    manner: options.Manner,
    place: options.Place,
) -> None:
    """Run finished jobs again from the beginning.

    The new jobs have the same spec and new idempotency keys. The old jobs stay. Repeating the command while the new job runs returns that job.
    """
    from podwright.cli.jobs.copies import Origin
    from podwright.cli.jobs.wish import Wish

    _require_one(names, name)
    wish = Wish(origin=Origin.RESTART, verb="restart", name=name, again=again)
    client = place.client()
    _run_all(client, names, manner=manner, step=lambda job: _restart(client, job, wish, manner=manner, force=force))


def retry(
    *,
    names: options.NeededNames,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Name of the new job. Default: NAME-retry1.")
    ] = "",
    again: options.AgainOption = False,
    manner: options.Manner,
    place: options.Place,
) -> None:
    """Run again what did not succeed.

    The new jobs have the same idempotency keys. Of an array they run the tasks that failed or never ended. The old jobs stay. Repeating the command returns the
    existing retry while it runs, and retries what is left once that has failed too.
    """
    from podwright.cli.jobs.copies import Origin
    from podwright.cli.jobs.wish import Wish

    _require_one(names, name)
    wish = Wish(origin=Origin.RETRY, verb="retry", name=name, again=again)
    client = place.client()
    _run_all(client, names, manner=manner, step=lambda job: _retry(client, job, wish, manner=manner))


def _require_one(names: list[str], name: str) -> None:
    if name and len(set(names)) > 1:
        raise MisuseError("--name can only be used with a single job.")


def _run_all(client: JobClient, names: list[str], *, manner: options.Manner, step: Step) -> None:
    from podwright.cli.output import Report

    jobs = [client.read(each) for each in dict.fromkeys(names)]
    with Report(manner) as report:
        for job in jobs:
            with report.bearing_failures():
                copy, new = step(job)
                report.tell(copy, "created" if new else "unchanged")


def _restart(client: JobClient, job: Object, wish: Wish, *, manner: options.Manner, force: bool) -> tuple[Object, bool]:
    if not force:
        _require_finished(job)
    copy, new = _copy(client, job, wish, tasks=None, dry_run=manner.dry_run)
    if not new:
        _remark_running(job, copy, wish)
    return copy, new


def _retry(client: JobClient, job: Object, wish: Wish, *, manner: options.Manner) -> tuple[Object, bool]:
    """Retry a job, or the last of its retries: what that one left undone is what is still to be done."""
    from podwright.cli.jobs.state import name_of

    _require_finished(job)
    last, running = _end_of_chain(client, job)
    if running is None:
        copy, new = _copy(client, last, wish, tasks=_undone(job, last), dry_run=manner.dry_run)
    else:
        copy, new = running, False
    if not new:
        if wish.name and name_of(copy) != wish.name:
            raise CommandError(
                f"{name_of(job)} is already being retried, as {name_of(copy)}. Nothing was created: two retries at once would do "
                "the same work twice.",
                remedy=f"Wait for it: podwright wait {name_of(copy)}",
            )
        _remark_running(job, copy, wish)
    return copy, new


def _end_of_chain(client: JobClient, job: Object) -> tuple[Object, Object | None]:
    """Follow a job to the last of its retries and redrives that has finished; beside it, the one after it which runs."""
    from podwright.cli.jobs.state import finished
    from podwright.cli.jobs.wish import successor

    passed = {job["metadata"]["uid"]}
    while (newest := successor(client, job)) is not None:
        if not finished(newest):
            return job, newest
        if newest["metadata"]["uid"] in passed:  # labels that somebody made a circle of
            break
        passed.add(newest["metadata"]["uid"])
        job = newest
    return job, None


def _copy(
    client: JobClient, job: Object, wish: Wish, *, tasks: IndexSet | None, dry_run: options.DryRun
) -> tuple[Object, bool]:
    from podwright.cli.jobs.create_copy import create_copy, judge_copy, preview_copy
    from podwright.cli.jobs.wish import find_copy

    if dry_run is options.DryRun.NONE:
        return create_copy(client, job, wish, tasks=tasks)
    existing = find_copy(client, job, wish)
    if existing is not None:
        return existing, False
    if dry_run is options.DryRun.CLIENT:
        return preview_copy(client, job, wish, tasks=tasks), True
    return judge_copy(client, job, wish, tasks=tasks), True


def _require_finished(job: Object) -> None:
    from podwright.cli.jobs.state import finished, name_of, shown_phase

    if not finished(job):
        raise CommandError(
            f"{name_of(job)} has not finished ({shown_phase(job)}): a copy would run beside it.",
            remedy=f"Cancel it first: podwright cancel {name_of(job)} --wait",
        )


def _undone(job: Object, last: Object) -> IndexSet | None:
    """Return the tasks that are left to do, None for a job that is no array.

    Raises:
        CommandError: there is nothing left to do.
    """
    from podwright.cli.jobs.copies import undone
    from podwright.cli.jobs.state import array_of, name_of, succeeded

    by = "" if last is job else f" in its retry {name_of(last)}"
    remedy = f"To run everything again: podwright restart {name_of(job)}"
    if array_of(last) is None:
        if succeeded(last):
            raise CommandError(f"{name_of(job)} succeeded{by}: there is nothing to retry.", remedy=remedy)
        return None
    tasks = undone(last)
    if not tasks:
        raise CommandError(
            f"All tasks of {name_of(job)} succeeded or were skipped{by}: there is nothing to retry.", remedy=remedy
        )
    return tasks


def _remark_running(job: Object, copy: Object, wish: Wish) -> None:
    from podwright.cli.jobs.copies import Origin, is_copy_of
    from podwright.cli.jobs.state import name_of, shown_phase
    from podwright.cli.output import remark

    done = next((origin.done for origin in Origin if is_copy_of(copy, job, origin)), wish.origin.done)
    remark(f"{name_of(job)} was already {done}, as {name_of(copy)} ({shown_phase(copy)}).")
