"""Building the next status of a BatchJob, and the command that writes it: the only place where one is made, so the only place that checks transitions."""

from collections.abc import Iterable
from typing import Final

import msgspec

from podwright.core.attempt.report import Report
from podwright.core.attempt.retry import Counts, counts_of
from podwright.core.commands import WriteStatus
from podwright.core.constants.reasons import Reason
from podwright.core.model.array import ArrayRecord
from podwright.core.model.attempt import Attempt
from podwright.core.model.job import JobStatus, JobView, StopRecord
from podwright.core.model.phase import Phase, require_transition
from podwright.core.run.conditions import run_conditions
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet

ATTEMPTS_KEPT: Final = 10
SETTLE: Final = 2.0
"""Seconds that a pod must have run, or waited for a stated reason, before status says so: most short jobs end first."""
_MESSAGE_LIMIT: Final = 1024


def next_status(
    *,
    job: JobView,
    phase: Phase,
    reason: str,
    message: str,
    now: float,
    attempt: Attempt | None = None,
    counts: Counts | None = None,
    report: Report | None = None,
    started: float | None = None,
    next_attempt: float | None = None,
    stop_reason: str = "",
) -> JobStatus:
    """Return the status that follows the job's present one.

    Args:
        job: the job as the decision sees it.
        phase: the new phase.
        reason: CamelCase word that says why the job is in this phase.
        message: one sentence for people.
        now: Unix seconds.
        attempt: an attempt to add, or to replace the record of the same number.
        counts: of the attempts that ended; None keeps what is counted.
        report: what the task that succeeded told; None keeps what is there.
        started: when the total clock starts; None keeps the present start, or the job's creation at first.
        next_attempt: the earliest time of the next attempt.
        stop_reason: of a job that is being stopped, why, if `reason` is not all there is to it.

    Raises:
        IllegalTransitionError: the phase table forbids the step.
    """
    before = job.status
    require_transition(current=before.phase, target=phase)
    message = message[:_MESSAGE_LIMIT]
    attempts = _with(before.attempts, attempt)
    counts = counts_of(before) if counts is None else counts
    return JobStatus(
        observed_generation=job.generation,
        phase=phase,
        reason=reason,
        message=message,
        started=_start(job=job, phase=phase, started=started),
        finished=now if phase.terminal else None,
        next_attempt=next_attempt,
        stop=_stop(before, phase=phase, reason=stop_reason or reason, message=message, now=now),
        # The attempts of an array that status lists are its last failures.
        attempt_count=_count(attempts) if job.array is None else before.attempt_count,
        failed_count=counts.failed,
        platform_failed_count=counts.platform,
        timeout_count=counts.timeouts,
        out_of_memory_count=counts.out_of_memory,
        lost_node_count=counts.lost_nodes,
        progress=progress(array=job.array, record=before.array, phase=phase),
        attempts=attempts,
        array=before.array,
        outputs=before.outputs if report is None else report.outputs,
        artifacts=before.artifacts if report is None else report.artifacts,
        duplicate_of=before.duplicate_of,
        conditions=run_conditions(
            previous=before.conditions,
            phase=phase,
            reason=reason,
            message=message,
            generation=job.generation,
            now=now,
        ),
    )


def write_status(*, job: JobView, status: JobStatus, deferrable: bool = False) -> WriteStatus:
    """Return the command that replaces the job's status, provided the job is still as it was seen."""
    return WriteStatus(
        of=job.ref,
        namespace=job.namespace,
        name=job.name,
        resource_version=job.resource_version,
        status=status,
        deferrable=deferrable,
    )


def progress(*, array: ArraySpec | None, record: ArrayRecord | None, phase: Phase) -> str:
    """Return how many tasks succeeded, of all; indexes that an invalid array names beyond its size are no tasks."""
    if array is None:
        return "1/1" if phase is Phase.SUCCEEDED else "0/1"
    beyond = array.tasks.ranges and array.tasks.ranges[-1][1] >= array.size
    tasks = array.tasks & IndexSet.up_to(array.size) if beyond else array.tasks
    return f"{0 if record is None else len(record.succeeded)}/{len(tasks)}"


def is_intent(attempt: Attempt) -> bool:
    """Return whether the record says only that a pod may have been asked for (`core.job.at_most_once`)."""
    return attempt.outcome is None and not attempt.pod_uid


def without_results(status: JobStatus) -> JobStatus:
    """Return the status without anything that the job's own program wrote, for an API server that refuses the whole.

    Such a status must not happen; but if it does, how the job ended is worth more than what it said.
    """
    left_out = "results and messages were left out: the API server refused them"
    attempts = tuple(msgspec.structs.replace(attempt, message="") for attempt in status.attempts)
    message = f"{status.message[: _MESSAGE_LIMIT - len(left_out) - 2]}; {left_out}"
    return msgspec.structs.replace(status, message=message, outputs="", artifacts=(), attempts=attempts)


def observing(job: JobView) -> JobStatus:
    """Return the present status, said of the present generation of the job: an edit that changes nothing else was seen."""
    return msgspec.structs.replace(
        job.status,
        observed_generation=job.generation,
        conditions=tuple(
            msgspec.structs.replace(condition, observed_generation=job.generation)
            for condition in job.status.conditions
        ),
    )


def with_problem(*, job: JobView, message: str) -> JobStatus:
    """Return the present status with an internal error noted on it; nothing that decisions are made on is changed."""
    # While a job is stopping, its reason is the recorded intent.
    reason = job.status.reason if job.status.phase is Phase.STOPPING else Reason.INTERNAL_ERROR
    return msgspec.structs.replace(job.status, reason=reason, message=message[:_MESSAGE_LIMIT])


def _start(*, job: JobView, phase: Phase, started: float | None) -> float | None:
    if phase is Phase.SUSPENDED:
        return None  # no clock runs; the resume sets it anew
    if started is not None:
        return started
    return job.created if job.status.started is None else job.status.started


def _stop(before: JobStatus, *, phase: Phase, reason: str, message: str, now: float) -> StopRecord | None:
    """Return what the next status says of a stop: it stays on record until its job is resumed."""
    known = before.stop if before.phase is Phase.STOPPING else None
    if phase is not Phase.STOPPING:
        return known if phase.terminal or phase is Phase.SUSPENDED else None
    if known is not None and known.reason == reason:
        return known
    return StopRecord(reason=reason, message=message, time=now)


def _count(attempts: tuple[Attempt, ...]) -> int:
    """Count the attempts that were made. The count may never fall, and an intent may be taken back."""
    if not attempts:
        return 0
    return attempts[-1].number + (0 if is_intent(attempts[-1]) else 1)


def _with(attempts: Iterable[Attempt], attempt: Attempt | None) -> tuple[Attempt, ...]:
    if attempt is None:
        return tuple(attempts)
    kept = [known for known in attempts if known.number != attempt.number]
    return (*kept, attempt)[-ATTEMPTS_KEPT:]
