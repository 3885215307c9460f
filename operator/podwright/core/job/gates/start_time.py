"""`spec.startAt`: nothing of a job starts before this time."""

import datetime

from podwright.core.job.gates.result import OPEN, Gate, Wait
from podwright.core.model.job import JobView

_LAST_WRITABLE = datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC).timestamp()


def start_time(*, job: JobView, now: float) -> Gate:
    """Judge by the operator's clock; a time that has passed, however long ago, opens."""
    if job.start_at is None or now >= job.start_at:
        return OPEN
    return Wait(
        reason="Delayed",
        message=f"the job starts at {_written(job.start_at)} at the earliest (spec.startAt)",
        requeue_at=job.start_at,
    )


def _written(seconds: float) -> str:
    time = datetime.datetime.fromtimestamp(min(seconds, _LAST_WRITABLE), tz=datetime.UTC)
    return time.isoformat().removesuffix("+00:00") + "Z"
