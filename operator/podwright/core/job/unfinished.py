"""The current attempt's pod exists and has not ended: stop it if need be, else keep people informed and watch the clock."""

from typing import Final

import msgspec

from podwright.core.attempt import termination as pod_end
from podwright.core.attempt.ending import MESSAGE_LIMIT, ongoing, recorded_ending
from podwright.core.attempt.failure_policy import ends_wait, evidence_of_wait
from podwright.core.attempt.redaction import redacted
from podwright.core.commands import Command, Decision
from podwright.core.job import ended
from podwright.core.job.status import next_status
from podwright.core.job.write import write_status
from podwright.core.run.deadline import attempt_deadline, start_deadline
from podwright.core.run.phase import Phase
from podwright.core.run.stop import Stop, recorded_stop, stop_grace
from podwright.core.view import JobView, PodPhase, PodView

SETTLE: Final = 2.0
"""Seconds that a pod must have run, or waited for a stated reason, before status says so: most short jobs end first."""
QUIET_WAIT: Final = 30.0
"""Seconds that a pod may wait without a stated reason before status says so: in a burst that is no news."""

_SAME_REASON: Final = {"ErrImagePull": "ImagePullBackOff", "ErrImageNeverPull": "ImagePullBackOff"}


def decide(*, job: JobView, pod: PodView, stop: Stop | None, now: float) -> Decision:
    """Decide on a job whose current pod is pending or running."""
    # A stop that is on record is carried out even if it is no longer wanted: its pod may already be dying.
    stop = stop or recorded_stop(job)
    if stop is not None:
        return _stop(job=job, pod=pod, stop=stop, now=now)
    if recorded_ending(status=job.status, pod=pod) is not None:
        return Decision(commands=pod_end.end(pod))
    if must_not_wait(job=job, pod=pod):
        return _end(job=job, pod=pod, now=now)
    clocks = (attempt_deadline(job=job, pod=pod), start_deadline(job=job, pod=pod))
    deadline = min((clock for clock in clocks if clock is not None), default=None)
    if deadline is not None and now >= deadline:
        return Decision(commands=pod_end.end(pod))
    commands, visible_at = _report(job=job, pod=pod, now=now)
    times = [time for time in (deadline, visible_at) if time is not None]
    return Decision(commands=commands, requeue_at=min(times, default=None))


def _stop(*, job: JobView, pod: PodView, stop: Stop, now: float) -> Decision:
    if recorded_stop(job) is not stop:
        status = next_status(
            job=job,
            phase=Phase.STOPPING,
            reason=str(stop),
            message=ended.explain(job=job, stop=stop),
            now=now,
            attempt=ongoing(pod),
        )
        return Decision(commands=(write_status(job=job, status=status),))
    return Decision(commands=pod_end.end(pod, grace=stop_grace(job=job, stop=stop)))


def must_not_wait(*, job: JobView, pod: PodView) -> bool:
    """Return whether a rule says that an attempt which can't start is to be ended."""
    # One that somebody else is deleting ends by itself, and was not ended for this.
    if not job.failure_policy.rules or not pod.waiting_reason or pod.deletion_requested is not None:
        return False
    evidence = evidence_of_wait(reason=pod.waiting_reason, message=waiting_message(pod), pod=pod)
    return ends_wait(rules=job.failure_policy.rules, evidence=evidence)


def _end(*, job: JobView, pod: PodView, now: float) -> Decision:
    """Record why the attempt is ended. Only that record tells the verdict: a deleted pod no longer says why it waited."""
    message = waiting_message(pod)
    status = next_status(
        job=job,
        # A job that was seen to run does not go back to Pending.
        phase=Phase.RUNNING if job.status.phase is Phase.RUNNING else Phase.PENDING,
        reason=pod.waiting_reason,
        message=message or f"pod {pod.name} can't start ({pod.waiting_reason}) and is being ended",
        now=now,
        attempt=msgspec.structs.replace(ongoing(pod), reason=pod.waiting_reason, message=message),
    )
    return Decision(commands=(write_status(job=job, status=status),))


def waiting_message(pod: PodView) -> str:
    """Just as it is recorded, so that rules say the same before and after."""
    return redacted(pod.waiting_message)[:MESSAGE_LIMIT]


def _report(*, job: JobView, pod: PodView, now: float) -> tuple[tuple[Command, ...], float | None]:
    running = pod.phase is not PodPhase.PENDING
    phase = Phase.RUNNING if running else Phase.PENDING
    reason = "PodRunning" if running else _SAME_REASON.get(pod.waiting_reason, pod.waiting_reason) or "PodPending"
    if job.status.phase is phase and job.status.reason == reason and _shown(job=job, pod=pod):
        return (), None
    if job.status.phase is Phase.RUNNING and not running:
        return (), None
    settle = SETTLE if running or pod.waiting_reason else QUIET_WAIT
    visible_at = (pod.created if pod.started is None else pod.started) + settle
    if now < visible_at:
        return (), visible_at
    where = f" on node {pod.node}" if pod.node else ""
    waits = waiting_message(pod) or f"pod {pod.name} has not started yet"
    message = f"pod {pod.name} runs{where}" if running else waits
    status = next_status(job=job, phase=phase, reason=reason, message=message, now=now, attempt=ongoing(pod))
    return (write_status(job=job, status=status, deferrable=True),), None


def _shown(*, job: JobView, pod: PodView) -> bool:
    return bool(job.status.attempts) and job.status.attempts[-1].pod_uid == pod.uid
