"""Waiting for jobs to end, and the exit code that tells a script how they did."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import typer

from podwright.cli.connection import Object
from podwright.cli.follow import Follower
from podwright.cli.job_client import JobClient
from podwright.cli.jobs.state import finished, name_of, phase_of, shown_phase, status_of, succeeded
from podwright.cli.output import full_name, remark
from podwright.cli.patience import Deadline, DeadlineError
from podwright.cli.printable import one_line
from podwright.cli.times import span
from podwright.core.model.phase import Phase

SUCCESS: Final = 0
FAILURE: Final = 1
TIMEOUT: Final = 124  # as timeout(1) has it
_UNFINISHED_TOLD: Final = 10
_WORDS: Final = {
    Phase.SUCCEEDED: "succeeded",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "was cancelled",
    Phase.DEAD_LETTERED: "became a dead letter",
    Phase.SKIPPED: "was skipped",
}


@contextlib.contextmanager
def interruptible(jobs: Sequence[Object], *, left: str = "") -> Iterator[None]:
    """Let Ctrl-C end the block with a remark on what goes on without it: `left`, by default the jobs."""
    try:
        yield
    except KeyboardInterrupt:
        remark(f"Interrupted; {left or ('the job goes on' if len(jobs) == 1 else 'the jobs go on')}.")
        raise typer.Exit(128 + signal.SIGINT) from None


def wait_for(client: JobClient, jobs: Sequence[Object], *, deadline: Deadline, tell: Callable[[str], None]) -> int:
    """Wait until all jobs have ended; report each in a line, and return the exit code."""
    code = SUCCESS
    open_jobs: dict[str, Object] = {}
    for job in jobs:
        if finished(job):
            code = max(code, _ended(job, tell))
        else:
            open_jobs[job["metadata"]["uid"]] = job
    if not open_jobs:
        return code
    try:
        for change in _follower(client, list(open_jobs.values()), deadline).changes():
            uid = change.job["metadata"]["uid"]
            if uid not in open_jobs:
                continue
            if not finished(change.job) and not change.gone:
                open_jobs[uid] = change.job
                continue
            del open_jobs[uid]
            code = max(code, _ended(change.job, tell))
            if not open_jobs:
                return code
    except DeadlineError:
        remark(f"Not finished after {span(deadline.seconds or 0)}: {_unfinished(open_jobs.values())}.")
        return TIMEOUT
    return code


def _follower(client: JobClient, jobs: Sequence[Object], deadline: Deadline) -> Follower:
    if len(jobs) > 1:
        return Follower(client, deadline=deadline, known=jobs)
    meta = jobs[0]["metadata"]
    there = JobClient(client.connection, namespace=meta["namespace"])
    # From where we saw it last: a job that ended and was deleted since then is told as it ended.
    return Follower(
        there,
        fields=f"metadata.name={meta['name']}",
        deadline=deadline,
        known=jobs,
        version=meta["resourceVersion"],
    )


def _ended(job: Object, tell: Callable[[str], None]) -> int:
    if not finished(job):
        tell(f"{full_name(job)} was deleted before it had finished")
        return FAILURE
    status = status_of(job)
    told = f"{full_name(job)} {_WORDS[Phase(phase_of(job))]}"
    # Of a cancelled job reason and message say the same once more.
    if not succeeded(job) and status.get("reason") != phase_of(job):
        told += f" ({one_line(status.get('reason') or 'no reason')}): {one_line(status.get('message') or '')}"
    tell(told)
    return SUCCESS if succeeded(job) else FAILURE


def _unfinished(jobs: Iterable[Object]) -> str:
    found = [f"{one_line(name_of(job))} ({shown_phase(job)})" for job in jobs]
    others = len(found) - _UNFINISHED_TOLD
    return ", ".join(found[:_UNFINISHED_TOLD]) + (f" and {others} more" if others > 0 else "")
