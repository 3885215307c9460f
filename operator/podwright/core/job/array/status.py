"""The status of an array: what `core.job.status` builds for every job, with the record and the counts of its tasks."""

from collections.abc import Sequence
from typing import Final

import msgspec

from podwright.core.attempt.retry import counts_of
from podwright.core.job.array.ends import UnitEnd
from podwright.core.job.array.size import with_running
from podwright.core.job.status import next_status, progress
from podwright.core.model.array import ArrayRecord
from podwright.core.model.attempt import Attempt
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.phase import Phase
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet

FAILURES_KEPT: Final = 10


def array_status(
    *,
    job: JobView,
    array: ArraySpec,
    phase: Phase,
    reason: str,
    message: str,
    record: ArrayRecord,
    ends: Sequence[UnitEnd],
    running: IndexSet,
    now: float,
    started: float | None = None,
    stop_reason: str = "",
) -> JobStatus:
    """Return the status that follows the job's present one.

    Args:
        job: the job as the decision sees it.
        array: its array.
        phase: the new phase; `reason` and `message` say why.
        reason: see there.
        message: see there.
        record: what has become of the tasks, `ends` counted in.
        ends: the attempts that this status records.
        running: tasks whose pods have not ended.
        now: Unix seconds.
        started: when the total clock starts; None keeps the present start.
        stop_reason: see there.

    Raises:
        IllegalTransitionError: the phase table forbids the step.
    """
    before = job.status
    status = next_status(
        job=job, phase=phase, reason=reason, message=message, now=now, started=started, stop_reason=stop_reason
    )
    counts = counts_of(before)
    for end in ends:
        if not end.exhausted:  # an attempt that got no pod for its memory never was
            counts = end.verdict.counted(counts)
    return msgspec.structs.replace(
        status,
        array=with_running(record, running),
        attempts=_with_failures(before.attempts, ends),
        attempt_count=counts.attempts,
        failed_count=counts.failed,
        platform_failed_count=counts.platform,
        timeout_count=counts.timeouts,
        out_of_memory_count=counts.out_of_memory,
        lost_node_count=counts.lost_nodes,
        progress=progress(array=array, record=record, phase=phase),
    )


def _with_failures(known: tuple[Attempt, ...], ends: Sequence[UnitEnd]) -> tuple[Attempt, ...]:
    ended = {(end.unit, end.verdict.attempt.number) for end in ends}
    # An attempt that was to be ended for how it waited is in the list already.
    others = [attempt for attempt in known if (attempt.index, attempt.number) not in ended]
    return kept_attempts((*others, *(end.verdict.attempt for end in ends if end.verdict.failed)))


def kept_attempts(attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
    """Leave out the oldest failures. An attempt that goes on is listed for why it is being ended, and must stay till it has."""
    ongoing = sum(attempt.outcome is None for attempt in attempts)
    spare = max(0, FAILURES_KEPT - ongoing)
    ended = [attempt for attempt in attempts if attempt.outcome is not None]
    dropped = {id(attempt) for attempt in ended[: max(0, len(ended) - spare)]}
    return tuple(attempt for attempt in attempts if id(attempt) not in dropped)
