"""The current attempt's pod exists and has not ended: stop it if need be, else keep people informed and watch the clock."""

from typing import Final

from podwright.core.attempt import termination as pod_end
from podwright.core.attempt.completion import LeftRunning, left_running
from podwright.core.attempt.ending import Ending, ongoing, recorded_ending
from podwright.core.commands import Command, Decision
from podwright.core.constants.reasons import Reason
from podwright.core.job.limits import due_ending, next_limit, waiting_message
from podwright.core.job.status import SETTLE, next_status, write_status
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodPhase, PodView
from podwright.core.run.stop import Stop, explain, recorded_stop, stop_grace

QUIET_WAIT: Final = 30.0
"""Seconds that a pod may wait without a stated reason before status says so: in a burst that is no news."""
LEFT_WAIT: Final = 30.0
"""Seconds that an injected container may run on after the work before status says so: one that is told to end needs some."""
_STILL: Final = " still run"  # in every message about containers that run on

_SAME_REASON: Final = {"ErrImagePull": Reason.IMAGE_PULL_BACK_OFF, "ErrImageNeverPull": Reason.IMAGE_PULL_BACK_OFF}


def decide(*, job: JobView, pod: PodView, stop: Stop | None, now: float) -> Decision:
    """Decide on a job whose current pod is pending or running."""
    # A stop that is on record is carried out even if it is no longer wanted: its pod may already be dying.
    stop = stop or recorded_stop(job)
    if stop is not None:
        return _stop(job=job, pod=pod, stop=stop, now=now)
    if recorded_ending(status=job.status, pod=pod) is not None:
        return Decision(commands=pod_end.end(pod))
    ending = due_ending(job=job, pod=pod, now=now)
    if ending is not None:
        return _end(job=job, pod=pod, ending=ending, now=now)
    deadline = next_limit(job=job, pod=pod)
    commands, visible_at = _report(job=job, pod=pod, now=now)
    times = [time for time in (deadline, visible_at) if time is not None]
    return Decision(commands=commands, requeue_at=min(times, default=None))


def _stop(*, job: JobView, pod: PodView, stop: Stop, now: float) -> Decision:
    if recorded_stop(job) is not stop:
        status = next_status(
            job=job,
            phase=Phase.STOPPING,
            reason=str(stop),
            message=explain(job=job, stop=stop),
            now=now,
            attempt=ongoing(pod, ending=recorded_ending(status=job.status, pod=pod)),
        )
        return Decision(commands=(write_status(job=job, status=status),))
    return Decision(commands=pod_end.end(pod, grace=stop_grace(job=job, stop=stop)))


def _end(*, job: JobView, pod: PodView, ending: Ending, now: float) -> Decision:
    """Record why the attempt is ended. The verdict is read from that record alone: a deleted pod no longer says why it waited."""
    status = next_status(
        job=job,
        # A job that was seen to run does not go back to Pending.
        phase=Phase.RUNNING if job.status.phase is Phase.RUNNING else Phase.PENDING,
        reason=ending.reason,
        message=ending.message or f"pod {pod.name} can't start ({pod.waiting_reason}) and is being ended",
        now=now,
        attempt=ongoing(pod, ending=ending),
    )
    return Decision(commands=(write_status(job=job, status=status),))


def _report(*, job: JobView, pod: PodView, now: float) -> tuple[tuple[Command, ...], float | None]:
    running = pod.phase is not PodPhase.PENDING
    phase = Phase.RUNNING if running else Phase.PENDING
    reason = (
        Reason.POD_RUNNING
        if running
        else _SAME_REASON.get(pod.waiting_reason, pod.waiting_reason) or Reason.POD_PENDING
    )
    left = left_running(job=job, pod=pod) if running else None
    if job.status.phase is phase and job.status.reason == reason and _shown(job=job, pod=pod):
        # That is news once for a pod, however many containers end after it.
        if left is None or not left.injected or pod.completed is None or _STILL in job.status.message:
            return (), None
        if now < pod.completed + LEFT_WAIT:
            return (), pod.completed + LEFT_WAIT
    if job.status.phase is Phase.RUNNING and not running:
        return (), None
    settle = SETTLE if running or pod.waiting_reason else QUIET_WAIT
    visible_at = (pod.created if pod.started is None else pod.started) + settle
    if now < visible_at:
        return (), visible_at
    message = _running(pod, left=left) if running else waiting_message(pod) or f"pod {pod.name} has not started yet"
    status = next_status(job=job, phase=phase, reason=reason, message=message, now=now, attempt=ongoing(pod))
    return (write_status(job=job, status=status, deferrable=True),), None


def _running(pod: PodView, *, left: LeftRunning | None) -> str:
    where = f"pod {pod.name} runs{f' on node {pod.node}' if pod.node else ''}"
    return where if left is None else f"{left.message}; {where}"


def _shown(*, job: JobView, pod: PodView) -> bool:
    return bool(job.status.attempts) and job.status.attempts[-1].pod_uid == pod.recorded_uid
