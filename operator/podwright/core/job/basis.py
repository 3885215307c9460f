"""Whether a creation that has waited for its turn would still be decided. Pure; asked right before it is sent.

A job's status is written often while its pods wait to be created. Only what the creation hangs on counts: the spec, that the job goes on,
and where the task stands; else a busy array would never get to create anything.
"""

from podwright.core.job.gates.capacity import is_halted
from podwright.core.job.pod.attempt_pod import AttemptPod
from podwright.core.model.array import ArrayRecord
from podwright.core.model.job import JobView


def still_creates(pod: AttemptPod, *, decided_on: JobView, job: JobView | None) -> bool:
    """Return whether the pod of an attempt, decided on one picture of its job, is still called for by the present one."""
    if job is decided_on:
        return True
    if job is None or job.deleting or job.status.is_over or is_halted(job) or job.problem != decided_on.problem:
        return False
    if job.generation != decided_on.generation or job.work_uid != decided_on.work_uid:
        return False
    if job.array is None:
        return _single_standing(job) == _single_standing(decided_on)
    before, now = decided_on.status.array or ArrayRecord(), job.status.array or ArrayRecord()
    if before is now or before == now:
        return True
    unit = pod.task_index
    if pod.tasks:
        done = now.succeeded | now.failed | now.skipped
        return not (pod.tasks & done) and _attempts(now, unit) == pod.attempt
    if any(unit in done for done in (now.succeeded, now.failed, now.skipped)):
        return False
    return ((unit in before.started) == (unit in now.started)) and _attempts(now, unit) == pod.attempt


def _single_standing(job: JobView) -> tuple[object, ...]:
    status = job.status
    return (status.attempts, status.attempt_count, status.next_attempt)


def _attempts(record: ArrayRecord, unit: int) -> int:
    return next((group.attempts for group in record.retries if unit in group.indexes), 0)
