"""Whether a pod's end is on record, for single jobs and arrays alike: only then may the pod be forgotten.

Asked by the store about pods that vanish or are released.
"""

from podwright.core.attempt.ending import recorded_end
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.core.model.units import end_on_record


def end_is_recorded(*, job: JobView, pod: PodView) -> bool:
    """Return whether the job's status holds the end of this pod's attempt."""
    if job.array is None:
        return recorded_end(status=job.status, pod=pod)
    return end_on_record(job=job, unit=pod.task_index, attempt=pod.attempt)
