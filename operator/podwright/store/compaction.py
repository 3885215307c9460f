"""What must be known of jobs and pods once they have ended: as little as can be, since there are many, and they stay for long.

Pure; used by `JobStore` only. What is dropped here must not be needed by any decision on a job that is over, nor by one on
a job that depends on it.
"""

import msgspec

from podwright.core.model.array import ArrayRecord, RetryGroup
from podwright.core.model.attempt import Attempt
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.pod import PodView
from podwright.core.run.retention import pods_go_early


def keeps_pods(job: JobView) -> bool:
    """Return whether the pods of the job, should it be over, must be known for as long as they exist."""
    return job.retention.pods is not None and not job.deleting


def lacks_pods(before: JobView, *, now: JobView) -> bool:
    """Return whether pods were forgotten of a job that keeps them now that it is over, or is to be rid of them before."""
    if not is_closed(now):
        return now.array is not None and pods_go_early(now) and not pods_go_early(before)
    if not keeps_pods(now):
        return False
    return not keeps_pods(before) if is_closed(before) else now.array is not None


def kept_pod(pod: PodView) -> PodView:
    """Return what must be known of a pod whose end is accounted for."""
    return msgspec.structs.replace(pod, reason="", message="", waiting_reason="", waiting_message="", disruption="")


def compacted(job: JobView) -> JobView:
    """Return what must be known of a job that is over: who it is, when and how it ended, and which pods its record names."""
    attempts = tuple(
        Attempt(
            number=attempt.number,
            pod_name="",
            pod_uid=attempt.pod_uid,
            outcome=attempt.outcome,
            # Whether it started matters to who waits for that, when doesn't; a number that is kept anyway takes no room.
            started=None if attempt.started is None else job.created,
        )
        for attempt in job.status.attempts
    )
    status = JobStatus(
        observed_generation=job.status.observed_generation,
        phase=job.status.phase,
        finished=job.status.finished,
        attempts=attempts,
        duplicate_of=job.status.duplicate_of,
        array=_sets_alone(job.status.array),
    )
    array = None if job.array is None else msgspec.structs.replace(job.array, items=())
    return msgspec.structs.replace(job, template=b"", status=status, array=array)


def _sets_alone(record: ArrayRecord | None) -> ArrayRecord | None:
    """Keep how the tasks of an array ended, and which were tried; other arrays may wait for them, task by task."""
    if record is None:
        return None
    retries = (RetryGroup(indexes=record.tried, attempts=0),) if record.retries else ()
    return ArrayRecord(
        succeeded=record.succeeded,
        failed=record.failed,
        skipped=record.skipped,
        retries=retries,
        given_up=record.given_up,
        never_started=record.never_started,
    )


def is_closed(job: JobView) -> bool:
    """Return whether nothing more will be run of the job: it has ended, or is being deleted."""
    return job.deleting or job.status.is_over
