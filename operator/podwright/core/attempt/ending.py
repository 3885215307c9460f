"""What an ended pod says about its attempt: the verdict that status records before the pod may be forgotten."""

from typing import Final

import msgspec

from podwright.core.attempt.budget import DELETED_WHILE_RUNNING
from podwright.core.attempt.completion import work_is_done
from podwright.core.attempt.redaction import redacted
from podwright.core.attempt.termination_message import MESSAGE_LIMIT, ended_for_lack_of_progress, is_report
from podwright.core.constants.reasons import Reason
from podwright.core.model.attempt import Attempt, Outcome
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.pod import PodPhase, PodView
from podwright.core.model.units import end_on_record
from podwright.core.run.stop import Stop
from podwright.core.values.excerpt import tail

_DEADLINE: Final = "DeadlineExceeded"  # of `activeDeadlineSeconds`
# What a container that is told to go is said to have ended with. Another reason, such as OOMKilled, tells more than this.
_ENDS_OF_DELETED: Final = frozenset({"", Reason.ERROR, Reason.CONTAINER_STATUS_UNKNOWN})
_ENDS_ON_SIGNAL: Final = frozenset({None, 0, 130, 137, 143})
CLOCK_SKEW: Final = 10.0
"""Seconds by which a node's clock may be behind the API server's. What ended that little before its deletion by these two clocks
may well have ended by it, and work that was stopped must not count as done.
"""


class Ending(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why we end one attempt, and go on with the job: written to the attempt's record before its pod is deleted."""

    reason: str
    message: str = ""


def ongoing(pod: PodView, *, ending: Ending | None = None) -> Attempt:
    """Return the record of an attempt whose pod has not ended. `ending` is why we end it, if we do; it must stay on record."""
    return Attempt(
        number=pod.attempt,
        pod_name=pod.name,
        pod_uid=pod.recorded_uid,
        node=pod.node,
        started=pod.started,
        reason="" if ending is None else ending.reason,
        message="" if ending is None else ending.message,
    )


def recorded_ending(*, status: JobStatus, pod: PodView) -> Ending | None:
    """Return why this very pod is being ended, if that is on record: the record of an attempt that goes on has no reason else."""
    if status.array is not None:
        for group in status.array.ending:
            if pod.task_index in group.indexes:
                return Ending(reason=group.reason, message=group.message)
    uid = pod.recorded_uid
    own = (attempt for attempt in reversed(status.attempts) if attempt.pod_uid == uid)
    last = next(own, None)
    if last is None or last.outcome is not None or not last.reason:
        return None
    return Ending(reason=last.reason, message=last.message)


def verdict(*, job: JobView, pod: PodView, stop: Stop | None, now: float, ending: Ending | None = None) -> Attempt:
    """Judge a finished pod. `stop` and `ending` are the recorded reasons for which we ended it, if we did."""
    outcome, reason = _judge(job=job, pod=pod, stop=stop, ending=ending)
    ended_by_us = ending is not None and outcome is Outcome.FAILED and reason == ending.reason
    message = ending.message if ending is not None and ended_by_us else pod.message
    return Attempt(
        number=pod.attempt,
        pod_name=pod.name,
        pod_uid=pod.recorded_uid,
        node=pod.node,
        started=pod.started,
        ended=now if pod.ended is None else pod.ended,
        outcome=outcome,
        exit_code=0 if outcome is Outcome.SUCCEEDED and pod.exit_code is None else pod.exit_code,
        reason=reason,
        # Of a success only what was reported is kept: status holds ten attempts of thousands of jobs.
        message="" if outcome is Outcome.SUCCEEDED else tail(redacted(message), limit=MESSAGE_LIMIT),
    )


def collided(*, number: int, pod_name: str, message: str, now: float) -> Attempt:
    """Describe an attempt that never got a pod, because an object that is not ours holds its name."""
    return Attempt(
        number=number,
        pod_name=pod_name,
        ended=now,
        outcome=Outcome.FAILED,
        reason=Reason.NAME_COLLISION,
        message=redacted(message)[:MESSAGE_LIMIT],
    )


def current_number(status: JobStatus) -> int:
    """Return the number of the attempt that may run now: the unfinished one, or the one after the last that ended."""
    if not status.attempts:
        return 0
    last = status.attempts[-1]
    return last.number if last.outcome is None else last.number + 1


def recorded_end(*, status: JobStatus, pod: PodView) -> bool:
    """Return whether this very pod's end is in status. Records older than those kept were complete before they were dropped."""
    if status.attempts and pod.attempt < status.attempts[0].number:
        return True
    uid = pod.recorded_uid
    return any(a.number == pod.attempt and a.pod_uid == uid and a.outcome is not None for a in status.attempts)


def end_is_recorded(*, job: JobView, pod: PodView) -> bool:
    """Return whether the job's status holds the end of this pod's attempt, of a single job or an array: only then may the pod be forgotten."""
    if job.array is None:
        return recorded_end(status=job.status, pod=pod)
    return end_on_record(job=job, unit=pod.task_index, attempt=pod.attempt)


def _judge(*, job: JobView, pod: PodView, stop: Stop | None, ending: Ending | None) -> tuple[Outcome, str]:
    if pod.phase is PodPhase.SUCCEEDED:
        # An application that exits 0 on SIGTERM has not done its work.
        if _was_idle(job=job, pod=pod) and not is_report(pod.message):
            return Outcome.FAILED, Reason.PROGRESS_TIMEOUT
        if _ended_after_deletion(pod) and (stop is not None or ending is not None):
            return _ended_by_us(stop=stop, ending=ending)
        return Outcome.SUCCEEDED, Reason.COMPLETED
    if pod.phase is PodPhase.FAILED:
        return _judge_failed(job=job, pod=pod, stop=stop, ending=ending)
    # Gone, or deleted before it had a node. What we meant to end and is gone was ended by us, as far as anybody can tell.
    if (pod.deletion_requested is not None and stop is not None) or ending is not None:
        return _ended_by_us(stop=stop, ending=ending)
    if pod.gone and pod.node:
        return Outcome.LOST, Reason.POD_LOST
    return Outcome.FAILED, Reason.DELETED_BEFORE_START


def _judge_failed(*, job: JobView, pod: PodView, stop: Stop | None, ending: Ending | None) -> tuple[Outcome, str]:
    deleted = pod.deletion_requested is not None
    if work_is_done(job=job, pod=pod):
        return Outcome.SUCCEEDED, Reason.COMPLETED
    # The kubelet's own word for it, also of the template's own activeDeadlineSeconds. What we end for a limit says so in the record.
    if pod.reason == _DEADLINE and (ending is None or not deleted):
        return Outcome.FAILED, Reason.ATTEMPT_TIMEOUT
    if deleted and (stop is not None or ending is not None):
        return _ended_by_us(stop=stop, ending=ending)
    if _was_idle(job=job, pod=pod):
        return Outcome.FAILED, Reason.PROGRESS_TIMEOUT
    if _ended_after_deletion(pod) and not pod.disruption and pod.reason in _ENDS_OF_DELETED:
        return Outcome.FAILED, DELETED_WHILE_RUNNING
    return Outcome.FAILED, pod.disruption or pod.reason or Reason.ERROR


def _was_idle(*, job: JobView, pod: PodView) -> bool:
    return job.progress_timeout is not None and ended_for_lack_of_progress(pod.message)


def _ended_after_deletion(pod: PodView) -> bool:
    """Return whether a pod ended after somebody asked for its deletion, as far as two clocks tell.

    A code of the program's own a little before is none of a pod that was told to go; 0 is what many end with then.
    """
    if pod.deletion_requested is None:
        return False
    if pod.ended is None or pod.ended >= pod.deletion_requested:
        return True
    told_to_go = pod.exit_code in _ENDS_ON_SIGNAL
    return told_to_go and pod.ended >= pod.deletion_requested - CLOCK_SKEW


def _ended_by_us(*, stop: Stop | None, ending: Ending | None) -> tuple[Outcome, str]:
    # No attempt is ended by itself once the whole job is being stopped, so of two reasons on record that one was first.
    if ending is not None:
        return Outcome.FAILED, ending.reason
    return Outcome.STOPPED, "" if stop is None else str(stop)
