"""One decision about one job: gathers what `core` must know beyond the job and its pods, and asks it.

Called by the engine at each look, once nothing about the job is in doubt. It writes nothing and waits for nothing; what it
gathers are the jobs this one depends on, who holds its idempotency key, and the notes about it.
"""

from podwright.core.commands import Decision
from podwright.core.job.decide import decide_job, release_all
from podwright.core.job.gates.dependency import Dependencies
from podwright.core.job.gates.gate import before_first_pod
from podwright.core.job.trust import trusted
from podwright.core.view import JobView, KeyClaim, PodView
from podwright.runtime.array_look import look_at_array
from podwright.runtime.keys import Keys
from podwright.store.jobs import JobStore
from podwright.store.notes import Notes


def decide(
    *,
    job: JobView | None,
    pods: tuple[PodView, ...],
    notes: Notes,
    store: JobStore,
    keys: Keys,
    epoch: int,
    now: float,
) -> Decision:
    """Decide on a job, or on the pods of one that is gone (`job` is None). `epoch` is that of our tenure."""
    if job is None:
        return Decision(commands=release_all(pods))
    first = store.job(job.work_uid) if job.work_uid else None
    job = trusted(job, first=first, system_namespace=keys.namespace)
    dependencies = store.dependencies(job)
    claim = keys.claim_of(job, notes=notes, store=store, now=now)
    if job.array is not None:
        return _decide_array(job, pods=pods, notes=notes, dependencies=dependencies, claim=claim, epoch=epoch, now=now)
    return decide_job(
        job=job,
        pods=pods,
        refusal=notes.refusal,
        now=now,
        keep_until=notes.creation_until,
        dependencies=dependencies,
        claim=claim,
        own_intent=notes.own_intent(epoch),
    )


def _decide_array(
    job: JobView,
    *,
    pods: tuple[PodView, ...],
    notes: Notes,
    dependencies: Dependencies,
    claim: KeyClaim | None,
    epoch: int,
    now: float,
) -> Decision:
    if notes.creating:
        return look_at_array(job=job, pods=pods, notes=notes, epoch=epoch, now=now, dependencies=dependencies)
    held, recheck_at = before_first_pod(
        job=job, pods=pods, dependencies=dependencies, claim=claim, now=now, keep_until=notes.creation_until
    )
    if held is not None:
        return held
    decision = look_at_array(job=job, pods=pods, notes=notes, epoch=epoch, now=now, dependencies=dependencies)
    times = [time for time in (decision.requeue_at, recheck_at) if time is not None]
    return Decision(commands=decision.commands, requeue_at=min(times, default=None))
