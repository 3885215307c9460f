"""One decision about one job: gathers what `core` must know beyond the job and its pods, and asks it.

Called by the engine at each look, once nothing about the job is in doubt. It writes nothing and waits for nothing; what it
gathers are the jobs this one depends on, who holds its idempotency key, and the notes about it.
"""

from podwright.core.commands import Decision
from podwright.core.job.decide import decide_job, release_all
from podwright.core.job.gates.dependency import Dependencies
from podwright.core.job.gates.gate import before_first_pod
from podwright.core.view import JobView, KeyClaim, PodView
from podwright.runtime.array_look import look_at_array, refusal_for
from podwright.runtime.keys import Keys
from podwright.store.job_expectations import JobExpectations
from podwright.store.jobs import JobStore


def decide(
    *,
    job: JobView | None,
    pods: tuple[PodView, ...],
    expectations: JobExpectations,
    store: JobStore,
    keys: Keys,
    epoch: int,
    now: float,
    granted: int | None = None,
    room: int = 1_000_000,
) -> Decision:
    """Decide on a job, or on the pods of one that is gone (`job` is None). `epoch` is that of our tenure."""
    if job is None:
        return Decision(commands=release_all(pods))
    dependencies = store.dependencies(job)
    claim = keys.claim_of(job, expectations=expectations, store=store, now=now)
    if job.array is not None:
        return _decide_array(
            job,
            pods=pods,
            expectations=expectations,
            dependencies=dependencies,
            claim=claim,
            epoch=epoch,
            now=now,
            granted=granted,
            room=room,
        )
    return decide_job(
        job=job,
        pods=pods,
        refusal=refusal_for(expectations.refusal, granted=granted, now=now),
        now=now,
        keep_until=expectations.creation_until,
        dependencies=dependencies,
        claim=claim,
        own_intent=expectations.own_intent(epoch),
    )


def _decide_array(
    job: JobView,
    *,
    pods: tuple[PodView, ...],
    expectations: JobExpectations,
    dependencies: Dependencies,
    claim: KeyClaim | None,
    epoch: int,
    now: float,
    granted: int | None,
    room: int,
) -> Decision:
    if expectations.creating:
        return look_at_array(
            job=job,
            pods=pods,
            expectations=expectations,
            epoch=epoch,
            now=now,
            dependencies=dependencies,
            granted=granted,
            room=room,
        )
    held, recheck_at = before_first_pod(
        job=job, pods=pods, dependencies=dependencies, claim=claim, now=now, keep_until=expectations.creation_until
    )
    if held is not None:
        return held
    decision = look_at_array(
        job=job,
        pods=pods,
        expectations=expectations,
        epoch=epoch,
        now=now,
        dependencies=dependencies,
        granted=granted,
        room=room,
    )
    times = [time for time in (decision.requeue_at, recheck_at) if time is not None]
    return Decision(commands=decision.commands, requeue_at=min(times, default=None))
