"""Why an attempt is to be ended although its job goes on: its time is over, or a rule says that it must not wait any longer.

The same for a job's only pod and for each pod of an array. What is found here is recorded before the pod is deleted (ADR 0018),
and the verdict is read from that record: a pod that was deleted no longer tells why, and the spec may have changed meanwhile.
"""

from typing import Final

from podwright.core.attempt.ending import Ending
from podwright.core.attempt.failure_policy import ends_wait, evidence_of_wait
from podwright.core.attempt.redaction import redacted
from podwright.core.attempt.termination_message import MESSAGE_LIMIT, ended_for_lack_of_progress
from podwright.core.constants.reasons import Reason
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.core.run.deadline import attempt_deadline, start_deadline

_IMAGE_WAITS: Final = {
    "ErrImagePull": "ErrImagePull",
    Reason.IMAGE_PULL_BACK_OFF: "ErrImagePull",
    "ErrImageNeverPull": "ErrImageNeverPull",
    Reason.INVALID_IMAGE_NAME: Reason.INVALID_IMAGE_NAME,
}


def due_ending(*, job: JobView, pod: PodView, now: float) -> Ending | None:
    """Return why the attempt of a pod that has not ended is to be ended now, None if it isn't."""
    if pod.deletion_requested is not None:
        return None  # one that somebody else is deleting ends by itself, and was not ended for this
    return ending_of_wait(pod) if must_not_wait(job=job, pod=pod) else out_of_time(job=job, pod=pod, now=now)


def ending_of_wait(pod: PodView) -> Ending:
    """Return what is recorded of an attempt that must not wait any longer."""
    return Ending(reason=pod.waiting_reason, message=waiting_message(pod))


def out_of_time(*, job: JobView, pod: PodView, now: float) -> Ending | None:
    """Return which limit of time an attempt has reached, None if it hasn't."""
    if job.progress_timeout is not None and ended_for_lack_of_progress(pod.message):
        # The kubelet ended that container alone, and others run on.
        return Ending(reason=Reason.PROGRESS_TIMEOUT, message=pod.message.strip()[:MESSAGE_LIMIT])
    limit = attempt_deadline(job=job, pod=pod)
    if limit is not None and now >= limit:
        message = f"it ran longer than spec.timeouts.attempt ({job.attempt_timeout:g} s), and its kubelet didn't end it"
        return Ending(reason=Reason.ATTEMPT_TIMEOUT, message=message)
    limit = start_deadline(job=job, pod=pod)
    if limit is not None and now >= limit:
        # An image that can't be had is what has to be mended; the limit is only when we stopped waiting for it.
        reason = _IMAGE_WAITS.get(pod.waiting_reason, Reason.START_TIMEOUT)
        return Ending(reason=reason, message=_why_it_did_not_start(job=job, pod=pod))
    return None


def next_limit(*, job: JobView, pod: PodView) -> float | None:
    """Return when the pod's attempt will have to be ended, should it not have ended by then; None if no limit applies."""
    if pod.deletion_requested is not None:
        return None
    clocks = (attempt_deadline(job=job, pod=pod), start_deadline(job=job, pod=pod))
    return min((clock for clock in clocks if clock is not None), default=None)


def has_limits(job: JobView) -> bool:
    """Return whether any attempt of the job may have to be ended: most arrays need not be asked for each of their pods."""
    timed = any(limit is not None for limit in (job.attempt_timeout, job.start_timeout, job.progress_timeout))
    return timed or any(rule.waiting_reasons for rule in job.failure_policy.rules)


def must_not_wait(*, job: JobView, pod: PodView) -> bool:
    """Return whether a rule says that an attempt which can't start is to be ended."""
    if not job.failure_policy.rules or not pod.waiting_reason or pod.deletion_requested is not None:
        return False
    evidence = evidence_of_wait(reason=pod.waiting_reason, message=waiting_message(pod), pod=pod)
    return ends_wait(rules=job.failure_policy.rules, evidence=evidence)


def waiting_message(pod: PodView) -> str:
    """Return why a pod waits, just as it is recorded, so that rules say the same before and after."""
    return redacted(pod.waiting_message)[:MESSAGE_LIMIT]


def _why_it_did_not_start(*, job: JobView, pod: PodView) -> str:
    waited = ": ".join(part for part in (pod.waiting_reason, waiting_message(pod)) if part)
    late = f"its containers did not all run within spec.timeouts.start ({job.start_timeout:g} s)"
    return f"{waited}; {late}"[:MESSAGE_LIMIT] if waited else late
