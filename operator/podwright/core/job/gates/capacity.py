"""The capacity gate: whether a job may hold capacity now, and how much more of it. Asked before every pod, not only the first.

The one place for whatever can keep a job that is under way from getting its next pod: that it is stopped, or its spec can't be carried
out; its start time; a refusal of the API server that is being waited out; and the places that are free. Single jobs and arrays ask it
right before they ask for pods (or record that they are about to, under AtMostOnce). What must hold once, before the first pod, is in `gate`.
"""

from typing import Final

from podwright.core.attempt.refusal import ask_again_at
from podwright.core.constants.reasons import Reason
from podwright.core.job.gates.result import Wait
from podwright.core.job.gates.times import delay_in_words
from podwright.core.model.attempt import Refusal, RefusalKind
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.run.retention import hint_on_quota

_HALTED: Final = frozenset({Phase.STOPPING, Phase.SUSPENDED})


def capacity(
    *,
    job: JobView,
    now: float,
    free: int = 1,
    refusal: Refusal | None = None,
    granted: int = 0,
    creating: bool = False,
    room: int = 1,
) -> int | Wait:
    """Return how many more pods may be asked for now, or for what the job must wait. Nothing is made where nothing is the matter.

    Args:
        job: the job.
        now: Unix seconds.
        free: how many more its spec allows at once.
        refusal: the last refusal of one of its pods, if any.
        granted: how many pods its namespace's line for quota lets it ask for although one was refused.
        creating: whether the answer to a creation is still open.
        room: how many creations the operator takes now.
    """
    if is_halted(job) or job.problem:
        return 0
    if job.start_at is not None and now < job.start_at:
        return Wait(reason=Reason.DELAYED, message=delay_in_words(job), requeue_at=job.start_at)
    if refusal is not None and refusal.kind is RefusalKind.RETRYABLE:
        again = ask_again_at(refusal=refusal, job_uid=job.uid)
        if now < again:
            return refused_for_now(job=job, refusal=refusal, until=again)
        # One is enough to learn whether the refusal still stands.
        free = min(free, granted or (0 if creating else 1))
    return max(0, min(free, room))


def is_halted(job: JobView) -> bool:
    """Return whether a job is suspended, cancelled or being stopped, so that nothing of it may be started."""
    return job.suspend or job.cancel is not None or job.status.phase in _HALTED


def rests(*, suspend: bool, generation: int, phase: Phase | None) -> bool:
    """Return whether a job is suspended and has no pod, so that nothing of it can run before somebody edits it.

    That is on record once its pods have ended, and certain of a job that was never anything else. An edit brings the whole job
    again, so that its template, which may be large, need not be kept until then.
    """
    return suspend and (phase is Phase.SUSPENDED or (generation == 1 and phase in (None, Phase.PENDING)))


def refused_for_now(*, job: JobView, refusal: Refusal, until: float | None) -> Wait:
    """Return the wait for a refusal to pass, in the API server's words."""
    message = refusal.message + hint_on_quota(job=job, refusal=refusal)
    return Wait(reason=refusal.reason, message=message, requeue_at=until)
