"""What an ended pod says about the tasks that it ran. Pure reading; `record` counts it."""

import msgspec

from podwright.core.index_set import EMPTY, IndexSet
from podwright.core.job.attempt import collided, verdict
from podwright.core.job.stop import Stop
from podwright.core.names import array_pod_name
from podwright.core.view import Attempt, Budget, JobView, Outcome, PodView, Refusal


class UnitEnd(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The end of one attempt of a unit.

    Attributes:
        unit: its index.
        attempt: what happened, for people and for the counts.
        budget: what the attempt's failure as a whole is charged to; None if it is free.
        succeeded: tasks that are known to have succeeded.
        failed: tasks that ended with a failure of their own.
        delay: seconds that the task asked to be left alone for.
    """

    unit: int
    attempt: Attempt
    budget: Budget | None = None
    succeeded: IndexSet = EMPTY
    failed: IndexSet = EMPTY
    delay: int | None = None


def unit_end(*, job: JobView, pod: PodView, tasks: IndexSet, stop: Stop | None, now: float) -> UnitEnd:
    """Judge a finished pod that ran `tasks`. `stop` is the recorded reason for which we ended it, if we did."""
    attempt = msgspec.structs.replace(verdict(job=job, pod=pod, stop=stop, now=now), index=pod.task_index)
    if attempt.outcome is Outcome.SUCCEEDED:
        return UnitEnd(unit=pod.task_index, attempt=attempt, succeeded=tasks)
    if attempt.outcome is Outcome.STOPPED:
        return UnitEnd(unit=pod.task_index, attempt=attempt)
    budget = Budget.PLATFORM if attempt.outcome is Outcome.LOST else Budget.USER
    return UnitEnd(unit=pod.task_index, attempt=attempt, budget=budget)


def collided_end(*, job: JobView, refusal: Refusal, now: float) -> UnitEnd:
    """Describe an attempt that never got a pod, because an object that is not ours holds its name."""
    name = array_pod_name(job_name=job.name, job_uid=job.uid, index=refusal.task_index, attempt=refusal.attempt)
    attempt = collided(number=refusal.attempt, pod_name=name, message=refusal.message, now=now)
    return UnitEnd(
        unit=refusal.task_index, attempt=msgspec.structs.replace(attempt, index=refusal.task_index), budget=Budget.USER
    )
