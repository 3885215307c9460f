"""The two clocks of a job: one for each attempt, one for all of it.

Both are computed from times in the objects (never from a timer's own memory), so they survive a restart.
"""

from typing import Final

from podwright.core.view import JobView, PodView

KUBELET_SLACK: Final = 3.0
"""Seconds that the kubelet has to enforce `activeDeadlineSeconds`, beyond the pod's own grace period, before the operator
deletes the pod itself. A pod that its kubelet ended keeps its logs; a deleted one does not.
"""


def total_deadline(job: JobView) -> float | None:
    """Give the time at which the job as a whole must be over.

    It counts from the job's creation, or from its last resume: while a job is suspended no clock runs.
    """
    if job.total_timeout is None:
        return None
    since = job.created if job.status.started is None else job.status.started
    return since + job.total_timeout


def attempt_deadline(*, job: JobView, pod: PodView) -> float | None:
    """Give the time at which the operator itself ends this attempt, should its kubelet not have done so."""
    if job.attempt_timeout is None or pod.started is None:
        return None
    return pod.started + job.attempt_timeout + pod.termination_grace + KUBELET_SLACK


def ran_out_of_time(*, job: JobView, pod: PodView) -> bool:
    """Tell whether a failed pod was ended for its attempt's time limit, by the kubelet or by us."""
    if job.attempt_timeout is None:
        return False
    if pod.reason == "DeadlineExceeded":
        return True
    if pod.deletion_requested is None or pod.started is None:
        return False
    return pod.deletion_requested >= pod.started + job.attempt_timeout
