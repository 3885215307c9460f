"""`spec.timeouts.queue`: how long a job may wait for its first pod, whatever it waits for.

Computed from times in the objects only, so that it survives a restart.
"""

from podwright.core.constants.reasons import Reason
from podwright.core.job.gates.result import End, Gate, Open
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase


def queue_deadline(job: JobView) -> float | None:
    """Return the time by which the first pod must have been created.

    It counts from the job's creation, its last resumption or `spec.startAt`, whichever is latest: until then the job waits
    because its user wants it to.
    """
    if job.queue_timeout is None:
        return None
    since = job.created if job.status.started is None else job.status.started
    return max(since, since if job.start_at is None else job.start_at) + job.queue_timeout


def queue_timeout(*, job: JobView, now: float) -> Gate:
    """End a job that has waited too long; otherwise say when it will have."""
    deadline = queue_deadline(job)
    if deadline is None or now < deadline:
        return Open(recheck_at=deadline)
    waited_for = f": {job.status.message}" if job.status.message else ""
    return End(
        phase=Phase.FAILED,
        reason=Reason.QUEUE_TIMEOUT,
        message=f"the job got no pod within spec.timeouts.queue ({job.queue_timeout:g} s){waited_for}",
    )
