"""Whether an array is over, by its record alone: all done, enough succeeded, too many failed, or nothing more may start."""

from typing import Final

import msgspec

from podwright.core.constants.reasons import Reason
from podwright.core.job.array.size import is_too_scattered
from podwright.core.job.array.suspicion import suspicion
from podwright.core.job.gates.task_dependency import unmet_in_words
from podwright.core.model.array import ArrayRecord
from podwright.core.model.job import JobView
from podwright.core.model.phase import TRANSITIONS, Phase
from podwright.core.model.units import open_tasks
from podwright.core.run.stop import Stop
from podwright.core.spec import ArraySpec, DeliveryMode
from podwright.core.values.index_set import IndexSet

_NAMED = 5


FROM_RECORD: Final = frozenset(
    {
        Reason.COMPLETED,
        Reason.DEPENDENCY_FAILED,
        Reason.FAILURES_TOO_SCATTERED,
        Reason.SEQUENCE_BROKEN,
        Reason.SUCCESS_POLICY_UNREACHABLE,
        Reason.TASKS_FAILED,
        Reason.TOO_MANY_FAILED_TASKS,
    }
)
"""Reasons of ends that the record shows by itself; an end for another reason is only known from the stop that is on record for it."""


class End(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How the array ends. Pods that still run are stopped first, for `stop`."""

    phase: Phase
    reason: str
    message: str
    stop: Stop = Stop.OUTCOME_DECIDED


def end_of(*, job: JobView, array: ArraySpec, record: ArrayRecord) -> End | None:
    """Return how the array ends, or None while there is work left."""
    failed = len(record.failed)
    if _has_succeeded(array=array, record=record):
        return _success(job=job, array=array, record=record)
    held_against = suspicion(job=job, record=record)
    if held_against is not None:
        return condemned(job=job, stop=held_against.stop, message=held_against.message)
    if array.most_failed is not None and failed > array.most_failed:
        return _failure(
            job=job,
            record=record,
            reason=Reason.TOO_MANY_FAILED_TASKS,
            detail=f"; at most {array.most_failed} are allowed",
        )
    partly = array.success_count is not None or array.success_indexes is not None
    if partly and _cannot_succeed(array=array, record=record):
        return _failure(job=job, record=record, reason=Reason.SUCCESS_POLICY_UNREACHABLE, detail="")
    if array.sequential and _is_sequence_broken(array=array, record=record):
        return _failure(
            job=job, record=record, reason=Reason.SEQUENCE_BROKEN, detail="; the tasks after it are not started"
        )
    if is_too_scattered(array=array, record=record):
        return too_scattered(job=job, record=record)
    if open_tasks(array=array, record=record):
        return None
    return _failure(job=job, record=record, reason=Reason.TASKS_FAILED, detail="")


def condemned(*, job: JobView, stop: Stop, message: str) -> End:
    """Return the end of an array that is ended for what it does to nodes, or fails alike on all of them."""
    dead = job.dead_letter and job.delivery is DeliveryMode.AT_LEAST_ONCE
    phase = Phase.DEAD_LETTERED if dead else Phase.FAILED
    return End(phase=phase, reason=str(stop), message=message, stop=stop)


def too_scattered(*, job: JobView, record: ArrayRecord) -> End:
    """Return the end of an array of which no more can be recorded."""
    detail = "; a record of more would become too large"
    return _failure(job=job, record=record, reason=Reason.FAILURES_TOO_SCATTERED, detail=detail)


def _is_sequence_broken(*, array: ArraySpec, record: ArrayRecord) -> bool:
    """Return whether a task failed before all that are open. One further on may be given up early, for what it depends on."""
    if not record.failed:
        return False
    left = open_tasks(array=array, record=record)
    return not left or record.failed.ranges[0][0] < left.ranges[0][0]


def _has_succeeded(*, array: ArraySpec, record: ArrayRecord) -> bool:
    wanted = array.tasks if array.success_indexes is None else array.success_indexes
    if array.success_count is None:
        # Where none of those that decide is to run, the others do.
        decided = bool(wanted & record.succeeded) or not open_tasks(array=array, record=record)
        return decided and not wanted - record.succeeded - record.skipped
    return len(wanted & record.succeeded) >= array.success_count


def _cannot_succeed(*, array: ArraySpec, record: ArrayRecord) -> bool:
    wanted = array.tasks if array.success_indexes is None else array.success_indexes
    if array.success_count is None:
        return bool(wanted & record.failed)
    # A number that was asked for is not made less by tasks that are skipped.
    return len(wanted - record.failed - record.skipped) < array.success_count


def _success(*, job: JobView, array: ArraySpec, record: ArrayRecord) -> End:
    if not array.tasks - record.skipped and Phase.SKIPPED in TRANSITIONS[job.status.phase]:
        message = "all tasks skipped: dependency condition not met"
        return End(phase=Phase.SKIPPED, reason=Reason.DEPENDENCY_FAILED, message=message)
    others = ((len(record.failed), "failed"), (len(record.skipped), "skipped"))
    told = "".join(f", {count} {what}" for count, what in others if count)
    message = f"{len(record.succeeded)} of {len(array.tasks)} tasks succeeded{told}"
    return End(phase=Phase.SUCCEEDED, reason=Reason.COMPLETED, message=message)


def _failure(*, job: JobView, record: ArrayRecord, reason: str, detail: str) -> End:
    count = len(record.failed)
    if record.given_up:
        which = f"{record.given_up} of them" if record.given_up < count else "all of them"
        detail = f"; {which} without having run, as {unmet_in_words(job)}{detail}"
    # As for a single job, only what used up its retries is a dead letter.
    retried = job.delivery is DeliveryMode.AT_LEAST_ONCE and count > record.given_up + record.not_retried
    dead = job.dead_letter and retried
    return End(
        phase=Phase.DEAD_LETTERED if dead else Phase.FAILED,
        reason=reason,
        message=f"{count} {'task' if count == 1 else 'tasks'} failed: {_shortened(record.failed)}{detail}",
    )


def _shortened(indexes: IndexSet) -> str:
    shown = str(IndexSet(indexes.ranges[:_NAMED]))
    return shown if len(indexes.ranges) <= _NAMED else f"{shown},…"
