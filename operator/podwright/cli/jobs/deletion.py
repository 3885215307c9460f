"""Deleting jobs: exactly those that were looked at, one after the other, not faster than asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from podwright.cli.bulk import confirm, paced, parse_rate
from podwright.cli.connection import Object
from podwright.cli.job_client import JobClient
from podwright.cli.jobs.state import finished, status_of
from podwright.cli.options import DryRun, Manner
from podwright.cli.output import Report, full_name, remark
from podwright.cli.refusals import explain
from podwright.cli.times import seconds_of
from podwright.kube.errors import StatusError


def finished_before(jobs: Sequence[Object], *, age: float) -> list[Object]:
    """Return the jobs that finished more than `age` seconds ago; others are left alone, however old they are."""
    limit = time.time() - age
    return [job for job in jobs if finished(job) and _finish_time(job) < limit]


def _finish_time(job: Mapping[str, Any]) -> float:
    at = seconds_of(status_of(job).get("finishTime"))
    return float("inf") if at is None else at


def delete_jobs(
    client: JobClient,
    jobs: Sequence[Object],
    *,
    named: bool,
    unchanged: bool,
    yes: bool,
    rate: str,
    dry_run: DryRun,
    what: str = "job",
    filtered: bool = True,
) -> None:
    """Delete them, and say so for each. One that is gone already is as wanted.

    Args:
        client: for the cluster.
        jobs: as they were read.
        named: the user has named each of them, so there is no question.
        unchanged: leave a job alone that has not finished and has changed since it was read.
        yes: don't ask.
        rate: most in a second.
        dry_run: delete nothing.
        what: what they are called in the question.
        filtered: whether they were selected from others.

    Raises:
        CommandError: some could not be deleted.
    """
    gap = parse_rate(rate)
    if not jobs:
        remark(client.none_found(filtered=filtered, what=what))
        return
    if not named and dry_run is DryRun.NONE:
        confirm(f"Delete {len(jobs)} {what}{'s' * (len(jobs) != 1)} in {client.where}?", yes=yes)
    with Report(Manner(dry_run=dry_run)) as report:
        for job in paced(jobs, gap=gap):
            try:
                there = dry_run is DryRun.CLIENT or client.delete(
                    job, unchanged=unchanged and not finished(job), dry_run=dry_run is DryRun.SERVER
                )
            except StatusError as error:
                if error.code == 409:
                    report.fail(f"{full_name(job)} has changed meanwhile and was left alone.")
                else:
                    report.fail(str(explain(error, doing=f"delete {full_name(job)}")))
                continue
            report.tell(job, "deleted" if there else "was gone already")
