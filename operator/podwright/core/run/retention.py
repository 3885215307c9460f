"""How long a finished job, and its pods, stay: `spec.ttlSecondsAfterFinished` and `spec.retention`.

Dead letters wait for a person, and what a GitOps tool would create again would run again: neither is deleted by time.
"""

from typing import Final

from podwright.core.constants.reasons import Reason
from podwright.core.model.attempt import Refusal
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase

_COUNT_OF_PODS: Final = "count/pods="
_HINT: Final = (
    "; pods of this job that have ended count, too: spec.retention.podSeconds: 0 deletes them before the job's end"
)


def expires_at(job: JobView) -> float | None:
    """Return the time from which a finished job may be deleted, or None if it stays until somebody deletes it."""
    kept = _kept(job)
    if kept is None or job.retention.gitops or job.status.finished is None:
        return None
    return job.status.finished + kept


def pods_expire_at(job: JobView) -> float | None:
    """Return the time from which the pods of a finished job may be deleted, or None if they stay as long as the job."""
    if job.retention.pods is None or job.status.finished is None:
        return None
    return job.status.finished + job.retention.pods


def pods_go_early(job: JobView) -> bool:
    """Return whether pods are deleted as soon as their ends are on record, while the job goes on: `retention.podSeconds: 0`.

    They are deleted at the job's end anyway, so that costs nothing, and they hold no quota and no volume until then.
    """
    return job.retention.pods == 0


def hint_on_quota(*, job: JobView, refusal: Refusal) -> str:
    """Return what a refusal for quota leaves unsaid: that the job's own pods use it up, where they may; else nothing.

    Quotas on `count/pods` count pods that have ended too, as no other quota does.
    """
    counted = refusal.reason == Reason.QUOTA_EXCEEDED and _COUNT_OF_PODS in refusal.message
    if not counted or pods_go_early(job) or not job.status.attempt_count or _HINT in refusal.message:
        return ""  # the words of one that was read from the status have it already
    return _HINT


def _kept(job: JobView) -> float | None:
    retention = job.retention
    match job.status.phase:
        case Phase.SUCCEEDED:
            return retention.succeeded
        case Phase.FAILED:
            return retention.failed
        case Phase.CANCELLED | Phase.SKIPPED:
            return retention.cancelled
        case _:
            return None
