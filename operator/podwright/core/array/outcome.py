"""Whether an array is over, by its record alone: all done, enough succeeded, too many failed, or nothing more may start."""

import msgspec

from podwright.core.array.size import most_scattered_failures
from podwright.core.array.units import open_tasks
from podwright.core.index_set import IndexSet
from podwright.core.job.phase import Phase
from podwright.core.spec import ArraySpec, DeliveryMode
from podwright.core.view import ArrayRecord, JobView

_NAMED = 5


class End(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How the array ends. Pods that still run are stopped first, for `reason`."""

    phase: Phase
    reason: str
    message: str


def end_of(*, job: JobView, array: ArraySpec, record: ArrayRecord) -> End | None:
    """Give how the array ends, or None while there is work left."""
    failed = len(record.failed)
    if _has_succeeded(array=array, record=record):
        part = f", {failed} failed" if failed else ""
        message = f"{len(record.succeeded)} of {len(array.tasks)} tasks succeeded{part}"
        return End(phase=Phase.SUCCEEDED, reason="Completed", message=message)
    if array.most_failed is not None and failed > array.most_failed:
        return _failure(
            job=job, record=record, reason="TooManyFailedTasks", detail=f"; allowed are {array.most_failed}"
        )
    partly = array.success_count is not None or array.success_indexes is not None
    if partly and _cannot_succeed(array=array, record=record):
        return _failure(job=job, record=record, reason="SuccessPolicyUnreachable", detail="")
    if failed and array.sequential:
        return _failure(job=job, record=record, reason="SequenceBroken", detail="; the tasks after it are not started")
    if len(record.failed.ranges) > most_scattered_failures(array):
        return _failure(
            job=job, record=record, reason="FailuresTooScattered", detail="; a record of more would become too large"
        )
    if open_tasks(array=array, record=record):
        return None
    return _failure(job=job, record=record, reason="TasksFailed", detail="")


def _has_succeeded(*, array: ArraySpec, record: ArrayRecord) -> bool:
    if array.success_count is None and array.success_indexes is None:
        return not array.tasks - record.succeeded
    wanted = array.tasks if array.success_indexes is None else array.success_indexes
    succeeded = wanted & record.succeeded
    return len(succeeded) >= (len(wanted) if array.success_count is None else array.success_count)


def _cannot_succeed(*, array: ArraySpec, record: ArrayRecord) -> bool:
    wanted = array.tasks if array.success_indexes is None else array.success_indexes
    needed = len(wanted) if array.success_count is None else array.success_count
    return len(wanted - record.failed) < needed


def _failure(*, job: JobView, record: ArrayRecord, reason: str, detail: str) -> End:
    count = len(record.failed)
    retried = job.delivery is DeliveryMode.AT_LEAST_ONCE and job.retry.limit > 0
    dead = job.dead_letter and retried
    return End(
        phase=Phase.DEAD_LETTERED if dead else Phase.FAILED,
        reason=reason,
        message=f"{count} {'task' if count == 1 else 'tasks'} failed: {_shortened(record.failed)}{detail}",
    )


def _shortened(indexes: IndexSet) -> str:
    shown = str(IndexSet(indexes.ranges[:_NAMED]))
    return shown if len(indexes.ranges) <= _NAMED else f"{shown},…"
