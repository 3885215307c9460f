"""What an ended pod says about its attempt: the verdict that status records before the pod may be forgotten."""

from podwright.core.job.deadline import failed_to_start, ran_out_of_time
from podwright.core.job.stop import Stop
from podwright.core.view import Attempt, JobStatus, JobView, Outcome, PodPhase, PodView


def ongoing(pod: PodView) -> Attempt:
    """Describe an attempt whose pod has not ended."""
    return Attempt(number=pod.attempt, pod_name=pod.name, pod_uid=pod.uid, node=pod.node, started=pod.started)


def verdict(*, job: JobView, pod: PodView, stop: Stop | None, now: float) -> Attempt:
    """Judge a finished pod. `stop` is the recorded reason for which we ended it, if we did."""
    outcome, reason = _judge(job=job, pod=pod, stop=stop)
    return Attempt(
        number=pod.attempt,
        pod_name=pod.name,
        pod_uid=pod.uid,
        node=pod.node,
        started=pod.started,
        ended=now if pod.ended is None else pod.ended,
        outcome=outcome,
        exit_code=pod.exit_code,
        reason=reason,
        message=pod.message,
    )


def collided(*, number: int, pod_name: str, message: str, now: float) -> Attempt:
    """Describe an attempt that never got a pod, because an object that is not ours holds its name."""
    return Attempt(
        number=number,
        pod_name=pod_name,
        ended=now,
        outcome=Outcome.FAILED,
        reason="NameCollision",
        message=message,
    )


def current_number(status: JobStatus) -> int:
    """Give the number of the attempt that may run now: the unfinished one, or the one after the last that ended."""
    if not status.attempts:
        return 0
    last = status.attempts[-1]
    return last.number if last.outcome is None else last.number + 1


def recorded_end(*, status: JobStatus, pod: PodView) -> bool:
    """Tell whether this very pod's end is in status. Records older than those kept were complete before they were dropped."""
    if status.attempts and pod.attempt < status.attempts[0].number:
        return True
    return any(a.number == pod.attempt and a.pod_uid == pod.uid and a.outcome is not None for a in status.attempts)


def _judge(*, job: JobView, pod: PodView, stop: Stop | None) -> tuple[Outcome, str]:
    stopped = stop is not None and pod.deletion_requested is not None
    if pod.phase is PodPhase.SUCCEEDED:
        # An application that exits 0 on SIGTERM has not done its work. Times have whole seconds, so equal counts as after.
        if stopped and (pod.ended is None or pod.ended >= (pod.deletion_requested or 0.0)):
            return Outcome.STOPPED, str(stop)
        return Outcome.SUCCEEDED, "Completed"
    if pod.phase is PodPhase.FAILED:
        if ran_out_of_time(job=job, pod=pod):
            return Outcome.FAILED, "AttemptTimeout"
        if stopped:
            return Outcome.STOPPED, str(stop)
        if failed_to_start(job=job, pod=pod):
            return Outcome.FAILED, "StartTimeout"
        return Outcome.FAILED, pod.disruption or pod.reason or "Error"
    if stopped:
        return Outcome.STOPPED, str(stop)
    if pod.gone and pod.node:
        return Outcome.LOST, "PodLost"
    if failed_to_start(job=job, pod=pod):
        return Outcome.FAILED, "StartTimeout"
    return Outcome.FAILED, "DeletedBeforeStart"
