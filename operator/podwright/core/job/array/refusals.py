"""What a refusal of one of an array's pods means for its other tasks: the end of some, of the whole array, or a wait of some only.

Used by `decide` and `active`, and at a restart by the controller. How long to wait for a refusal to pass is the capacity gate's (`core.job.gates.capacity`).
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from podwright.core.attempt.refusal import more_memory_refused, on_record, refuses_more_memory
from podwright.core.constants.reasons import Reason
from podwright.core.job.array.ends import UnitEnd, collided_end, refused_end
from podwright.core.job.array.outcome import FROM_RECORD, End
from podwright.core.job.array.pods import SortedPods
from podwright.core.job.array.start import tasks_to_run
from podwright.core.job.array.status_updates import without_counts
from podwright.core.job.snapshot import Snapshot
from podwright.core.model.attempt import Attempt, Refusal, RefusalKind
from podwright.core.model.job import JobStatus
from podwright.core.model.phase import Phase

_NONE: Final[frozenset[int]] = frozenset()
_NO_ATTEMPT: Final = -1
_UNDER_WAY: Final = frozenset({Phase.PENDING, Phase.RUNNING, Phase.RETRYING})


def refused_ends(snapshot: Snapshot, pods: SortedPods) -> list[UnitEnd]:
    """Return the ends of attempts that get no pod: their name is taken, or the memory that they were given more of is refused."""
    refusal = snapshot.refusal
    if refusal is None or not _is_current(snapshot, refusal):
        return []
    if refusal.kind is RefusalKind.COLLISION and refusal.task_index not in pods.busy:
        return [collided_end(job=snapshot.job, refusal=refusal, now=snapshot.now)]
    if not _refuses_more_memory(snapshot, refusal):
        return []
    return [
        refused_end(
            job=snapshot.job, refusal=refusal, unit=unit, attempt=snapshot.units.attempts(unit), now=snapshot.now
        )
        for unit in _refused_alike(snapshot, refusal)
        if unit not in pods.busy
    ]


def without_answered(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot without a refusal that lasts, if it was about a task whose end is on record: the others have their own."""
    refusal = snapshot.refusal
    if refusal is None or refusal.kind is not RefusalKind.PERMANENT or _is_current(snapshot, refusal):
        return snapshot
    return msgspec.structs.replace(snapshot, refusal=None)


def without_more_memory(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot without a refusal that is the end of some tasks only."""
    refusal = snapshot.refusal
    if refusal is None or not _refuses_more_memory(snapshot, refusal):
        return snapshot
    return msgspec.structs.replace(snapshot, refusal=None)


def end_by_refusal(snapshot: Snapshot) -> End | None:
    """Return the end of an array whose pods will always be refused."""
    refusal = snapshot.refusal
    if refusal is None or refusal.kind is not RefusalKind.PERMANENT:
        return None
    return End(phase=Phase.FAILED, reason=refusal.reason, message=refusal.message)


def set_apart(snapshot: Snapshot) -> frozenset[int]:
    """Return the units that are to be asked for last: one that has no more memory than they was refused for the time.

    After running out of memory a task may ask for more than the whole quota has; those that need less must not wait for it.
    """
    refusal = snapshot.refusal
    if refusal is None or refusal.kind is not RefusalKind.RETRYABLE:
        return _NONE
    if snapshot.job.failure_policy.escalation is None or not _is_current(snapshot, refusal):
        return _NONE
    grown = snapshot.units.history(refusal.task_index).out_of_memory
    if not grown:
        return _NONE
    return frozenset(unit for unit, group in snapshot.units.groups.items() if group.out_of_memory >= grown)


def recalled(status: JobStatus, *, has_pods: bool, now: float) -> Refusal | None:
    """Return the refusal that an array's status tells of, as far as it is waited out; None if there is none.

    As of single jobs (`core.attempt.refusal`). It is about no task in particular. An array that has pods may have got all that it
    wants since: of those only what waits for quota is heard, as that is forgotten when there is nothing left to ask for.
    """
    if status.phase not in _UNDER_WAY or (has_pods and status.reason != Reason.QUOTA_EXCEEDED):
        return None
    return on_record(reason=status.reason, message=without_counts(status.message), attempt=_NO_ATTEMPT, now=now)


def with_refused_memory(end: End, *, attempts: Iterable[Attempt]) -> End:
    """Return the end with the API server's words about memory that it refused, if that is how one of these attempts ended."""
    if end.phase is Phase.SUCCEEDED or end.reason not in FROM_RECORD:
        return end
    words = [attempt.message for attempt in attempts if more_memory_refused(attempt.message)]
    return msgspec.structs.replace(end, message=f"{end.message}; {words[-1]}") if words else end


def _is_current(snapshot: Snapshot, refusal: Refusal) -> bool:
    """Return whether the refusal is about an attempt that may still be made, as far as the record says."""
    unit = refusal.task_index
    if not tasks_to_run(array=snapshot.array, units=snapshot.units, unit=unit):
        return False  # counted already: its tasks are over
    return snapshot.units.attempts(unit) == refusal.attempt


def _refuses_more_memory(snapshot: Snapshot, refusal: Refusal) -> bool:
    grown = snapshot.units.history(refusal.task_index).out_of_memory
    return refuses_more_memory(refusal=refusal, out_of_memory=grown, escalation=snapshot.job.failure_policy.escalation)


def _refused_alike(snapshot: Snapshot, refusal: Refusal) -> list[int]:
    """Return the unit that was refused and those that would be: due now, with as much memory or more, of the same template.

    To ask for each of them takes a request, and a thousand tasks that need more memory would be a storm of refusals.
    """
    units = snapshot.units
    grown = units.history(refusal.task_index).out_of_memory
    alike = [
        unit
        for unit, group in units.groups.items()
        if group.out_of_memory >= grown
        and (group.due is None or group.due <= snapshot.now)
        and tasks_to_run(array=snapshot.array, units=units, unit=unit)
    ]
    return sorted({refusal.task_index, *alike})
