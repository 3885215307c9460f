"""How long a finished job stays: `spec.ttlSecondsAfterFinished`."""

from podwright.core.view import JobView


def expires_at(job: JobView) -> float | None:
    """Give the time from which a finished job may be deleted, or None if it stays until somebody deletes it."""
    if job.ttl is None or job.status.finished is None:
        return None
    return job.status.finished + job.ttl
