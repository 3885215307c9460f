"""What must hold before a job's first pod is created: key, dependencies, start time, and how long it may wait for all that.

Asked at every decision until there is a pod, for single jobs and arrays alike; never again after that, and not while the job is
suspended, is being stopped, or is over.
"""

from typing import Final

import msgspec

from podwright.core.commands import Decision
from podwright.core.job.gates.dependency import Dependencies, dependency
from podwright.core.job.gates.idempotency import idempotency
from podwright.core.job.gates.result import End, Gate, Issue, Open, Wait
from podwright.core.job.gates.times import queue_timeout, start_time
from podwright.core.job.snapshot import Snapshot
from podwright.core.job.status import next_status, write_status
from podwright.core.model.job import JobView, KeyClaim
from podwright.core.model.phase import Phase
from podwright.core.run.deadline import total_deadline
from podwright.core.run.stop import wanted_stop

QUIET_WAIT: Final = 2.0
"""Seconds since the job's creation before status says what it waits for: a job that is submitted before what it depends on, or
just after, mostly waits no longer.
"""


def gate(*, job: JobView, dependencies: Dependencies, claim: KeyClaim | None, now: float) -> Gate:
    """Judge a job that never had a pod.

    The key comes first, so that a duplicate is told so at once and waits for nothing. Then come reasons to end, then reasons
    to wait.
    """
    key = idempotency(job=job, claim=claim, now=now)
    if isinstance(key, End | Issue):
        return key
    others = dependency(job=job, dependencies=dependencies)
    patience = queue_timeout(job=job, now=now)
    for ending in (others, patience):
        if isinstance(ending, End):
            return ending
    deadline = patience.recheck_at if isinstance(patience, Open) else None
    for waiting in (key, start_time(job=job, now=now), others):
        if isinstance(waiting, Wait):
            requeue_at = _earliest(waiting.requeue_at, deadline)
            return Wait(reason=waiting.reason, message=waiting.message, requeue_at=requeue_at)
    return Open(recheck_at=deadline)


def may_be_gated(job: JobView) -> bool:
    """Return whether, by its status, the job may never have had a pod and is neither suspended nor over."""
    return job.status.phase in (None, Phase.PENDING) and not job.status.has_begun


def before_first_pod(snapshot: Snapshot) -> tuple[Decision | None, float | None]:
    """Return the decision on a job that is held back, or None if its first pod may be created (or has been).

    The second value is when to ask again should there still be no pod by then.
    """
    job, now = snapshot.job, snapshot.now
    # A job whose spec can't be carried out fails at once, and claims no key.
    if snapshot.pods or job.problem or not may_be_gated(job) or wanted_stop(job=job, now=now) is not None:
        return None, None
    result = gate(job=job, dependencies=snapshot.dependencies, claim=snapshot.claim, now=now)
    match result:
        case Open():
            return None, result.recheck_at
        case Issue():
            return Decision(commands=(result.command,), requeue_at=total_deadline(job)), None
        case End():
            return _ended(job=job, end=result, now=now, keep_until=snapshot.keep_until), None
        case Wait():
            return _waits(job=job, wait=result, now=now), None


def _ended(*, job: JobView, end: End, now: float, keep_until: float) -> Decision:
    if now < keep_until:
        return Decision(requeue_at=keep_until)  # a job that has ended promises that nothing of it will start
    status = next_status(job=job, phase=end.phase, reason=end.reason, message=end.message, now=now)
    status = msgspec.structs.replace(status, duplicate_of=end.duplicate_of)
    return Decision(commands=(write_status(job=job, status=status),))


def _waits(*, job: JobView, wait: Wait, now: float) -> Decision:
    status = job.status
    requeue_at = _earliest(wait.requeue_at, total_deadline(job))
    if status.phase is Phase.PENDING and (status.reason, status.message) == (wait.reason, wait.message):
        return Decision(requeue_at=requeue_at)
    visible_at = job.created + QUIET_WAIT
    if now < visible_at:
        return Decision(requeue_at=_earliest(requeue_at, visible_at))
    written = next_status(job=job, phase=Phase.PENDING, reason=wait.reason, message=wait.message, now=now)
    return Decision(
        commands=(write_status(job=job, status=written, deferrable=True),),
        requeue_at=requeue_at,
    )


def _earliest(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)
