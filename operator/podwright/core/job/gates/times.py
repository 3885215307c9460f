"""The two times before a job's first pod: `spec.startAt`, and `spec.timeouts.queue`, which bounds how long it may wait for whatever it waits for.

Computed from times in the objects only, so that they survive a restart.
"""

import datetime

from podwright.core.constants.reasons import Reason
from podwright.core.job.gates.result import OPEN, End, Gate, Open, Wait
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase

_LAST_WRITABLE = datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC).timestamp()


def start_time(*, job: JobView, now: float) -> Gate:
    """Judge `spec.startAt`, before which nothing of a job starts, by the operator's clock; a time that has passed, however long ago, opens."""
    if not is_delayed(job=job, now=now):
        return OPEN
    return Wait(reason=Reason.DELAYED, message=delay_in_words(job), requeue_at=job.start_at)


def is_delayed(*, job: JobView, now: float) -> bool:
    """Return whether the start time is still to come."""
    return job.start_at is not None and now < job.start_at


def delay_in_words(job: JobView) -> str:
    """Return what a job says that waits for its start time."""
    time = datetime.datetime.fromtimestamp(min(job.start_at or 0.0, _LAST_WRITABLE), tz=datetime.UTC)
    return f"the job starts at {time.isoformat().removesuffix('+00:00')}Z at the earliest (spec.startAt)"


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
    """Judge `spec.timeouts.queue`: end a job that has waited too long; otherwise say when it will have."""
    deadline = queue_deadline(job)
    if deadline is None or now < deadline:
        return Open(recheck_at=deadline)
    waited_for = f": {job.status.message}" if job.status.message else ""
    return End(
        phase=Phase.FAILED,
        reason=Reason.QUEUE_TIMEOUT,
        message=f"the job got no pod within spec.timeouts.queue ({job.queue_timeout:g} s){waited_for}",
    )
