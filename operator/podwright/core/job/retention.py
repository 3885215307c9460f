"""How long a finished job stays: `spec.ttlSecondsAfterFinished`."""

from podwright.core.job.phase import Phase
from podwright.core.view import JobView


def expires_at(job: JobView) -> float | None:
    """Give the time from which a finished job may be deleted, or None if it stays until somebody deletes it."""
    if job.status.phase is Phase.DEAD_LETTERED:
        return None  # somebody must look at it; it goes when it is redriven or purged
    kept = job.retention.succeeded if job.status.phase is Phase.SUCCEEDED else job.retention.failed
    if kept is None or job.status.finished is None:
        return None
    return job.status.finished + kept
