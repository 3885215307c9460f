"""The clocks of a job: for the start of each pod, for each attempt, and for all of it.

They are computed from times in the objects (never from a timer's own memory), so they survive a restart.
"""

from typing import Final

from podwright.core.model.job import JobView
from podwright.core.model.pod import PodPhase, PodView

KUBELET_SLACK: Final = 3.0
"""Seconds that the kubelet has to enforce `activeDeadlineSeconds`, beyond the pod's own grace period, before the operator
deletes the pod itself. A pod that its kubelet ended keeps its logs; a deleted one does not.
"""


def total_deadline(job: JobView) -> float | None:
    """Return the time at which the job as a whole must be over.

    It counts from the job's creation, or from its last resume: while a job is suspended no clock runs.
    """
    if job.total_timeout is None:
        return None
    since = job.created if job.status.started is None else job.status.started
    return since + job.total_timeout


def attempt_deadline(*, job: JobView, pod: PodView) -> float | None:
    """Return the time at which the operator itself ends this attempt, should its kubelet not have done so."""
    if job.attempt_timeout is None or pod.started is None:
        return None
    return pod.started + job.attempt_timeout + pod.termination_grace + KUBELET_SLACK


def start_deadline(*, job: JobView, pod: PodView) -> float | None:
    """Return the time at which the operator deletes this pod, should its containers not all run by then."""
    if job.start_timeout is None or pod.phase is not PodPhase.PENDING:
        return None
    return pod.created + job.start_timeout
