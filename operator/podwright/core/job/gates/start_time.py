"""`spec.startAt`: nothing of a job starts before this time."""

import datetime

from podwright.core.constants.reasons import Reason
from podwright.core.job.gates.result import OPEN, Gate, Wait
from podwright.core.model.job import JobView

_LAST_WRITABLE = datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC).timestamp()


def start_time(*, job: JobView, now: float) -> Gate:
    """Judge by the operator's clock; a time that has passed, however long ago, opens."""
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
