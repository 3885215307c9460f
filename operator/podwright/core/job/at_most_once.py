"""`deliveryMode: AtMostOnce`: what may have been started is never started again, so a job may be missed but never run twice.

Before a pod is asked for, its attempt is recorded without a uid: the intent. Whoever finds an intent that it did not write
itself, and no pod, cannot know whether the pod ever ran, and gives the job up. Used by `decide`, `unstarted` and `ended`.
`may_start_again` and `is_intent` hold for the tasks of arrays as well.
"""

import msgspec

from podwright.core.commands import CreateChild, WriteStatus
from podwright.core.constants.reasons import Reason
from podwright.core.job.status import is_intent, next_status, write_status
from podwright.core.model.attempt import Attempt, Outcome, Refusal
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.phase import Phase
from podwright.core.run.stop import Stop
from podwright.core.spec import DeliveryMode


def recorded_intent(status: JobStatus) -> Attempt | None:
    """Return the intent on record: the last attempt, if its pod may have been asked for and has not been recorded since."""
    last = status.attempts[-1] if status.attempts else None
    return last if last is not None and is_intent(last) else None


def without_intent(job: JobView) -> JobView:
    """Return the job as if the intent on record had never been written: what is decided on it takes the intent back.

    Only for whoever wrote the intent and surely has no creation under way.
    """
    status = msgspec.structs.replace(job.status, attempts=job.status.attempts[:-1])
    return msgspec.structs.replace(job, status=status)


def begin(
    *, job: JobView, create: CreateChild, intended: bool, refusal: Refusal | None, now: float
) -> CreateChild | WriteStatus:
    """Return the write that comes next on the way to a pod: the creation, or the intent that must be recorded before it.

    `intended` tells that our own intent is on record. A job that waits after a refusal keeps telling why.
    """
    if intended or job.delivery is not DeliveryMode.AT_MOST_ONCE:
        return create
    waits = refusal is not None and job.status.phase is Phase.PENDING
    status = next_status(
        job=job,
        phase=Phase.PENDING,
        reason=job.status.reason if waits else Reason.STARTING,
        message=job.status.message if waits else f"pod {create.name} is being created",
        now=now,
        attempt=Attempt(number=create.spec.attempt, pod_name=create.name),
    )
    return write_status(job=job, status=status)


def may_start_again(attempt: Attempt) -> bool:
    """Return whether an attempt surely never ran: it was stopped before its pod had a node, and then cannot get one any more."""
    return attempt.outcome is Outcome.STOPPED and not attempt.node


def follow_up(*, job: JobView, attempt: Attempt, stop: Stop | None) -> tuple[Phase, str, str] | None:
    """Return the phase, reason and message of a job whose attempt ended without success and may not be repeated; else None."""
    if job.delivery is not DeliveryMode.AT_MOST_ONCE or may_start_again(attempt):
        return None
    reason: str
    if attempt.outcome is Outcome.LOST:
        reason, told = Reason.MAY_HAVE_RUN, f"the pod of attempt {attempt.number} is gone and may have run"
        if recorded_intent(job.status) is not None and job.status.reason == Reason.POD_CREATION_FAILED:
            told = f"{told}; its creation was answered: {job.status.message}"
    elif attempt.outcome is Outcome.STOPPED:
        reason = Reason.STOPPED_WHILE_RUNNING
        told = f"attempt {attempt.number} was stopped ({stop or attempt.reason}) on its node"
    else:
        code = "" if attempt.exit_code is None else f" with exit code {attempt.exit_code}"
        reason, told = attempt.reason, f"attempt {attempt.number} failed{code} ({attempt.reason})"
    return Phase.FAILED, reason, f"{told}; deliveryMode AtMostOnce allows no other attempt"
