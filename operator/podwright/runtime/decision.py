"""One decision about one BatchJob: gathers the snapshot that `core` decides on.

Called by the engine at each reconcile, once nothing about the job has to be confirmed first. It writes nothing and waits for
nothing; what it gathers are the jobs this one depends on, who holds its idempotency key, and what is expected of its pods.
"""

import time
from typing import Final

from podwright.core.attempt.rulings import Rulings
from podwright.core.commands import Decision
from podwright.core.job import decide as job_policy
from podwright.core.job.snapshot import NO_UNITS, Snapshot
from podwright.core.job.trust import trusted
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.runtime.array_look import arranged, keep_until, pause_after, refusal_for
from podwright.runtime.keys import Keys
from podwright.store.job_expectations import JobExpectations
from podwright.store.jobs import JobStore

_NO_INTENT: Final[frozenset[int]] = frozenset()
_OWN_INTENT: Final = frozenset({0})


def decide(
    *,
    job: JobView | None,
    pods: tuple[PodView, ...],
    expectations: JobExpectations,
    store: JobStore,
    keys: Keys,
    epoch: int,
    now: float,
    granted: int | None,
    room: int,
) -> Decision:
    """Decide on a job, or on the pods of one that is gone (`job` is None). `epoch` is that of our leader term."""
    if job is None:
        return Decision(commands=job_policy.release_all(pods))
    first = store.job(job.work_uid) if job.work_uid else None
    job = trusted(job, first=first, system_namespace=keys.namespace)
    if job.array is not None and now < expectations.reconcile_after:
        return Decision(requeue_at=expectations.reconcile_after, postponed=True)
    # An array's decisions can take long, so their cost sets their pace; to measure a single job's would cost more than it tells.
    before = None if job.array is None else time.thread_time()
    snapshot = _snapshot(
        job,
        pods=pods,
        expectations=expectations,
        store=store,
        keys=keys,
        epoch=epoch,
        now=now,
        granted=granted,
        room=room,
    )
    decision = job_policy.decide(snapshot)
    if before is not None:
        expectations.reconcile_after = now + pause_after(time.thread_time() - before)
    return decision


def _snapshot(
    job: JobView,
    *,
    pods: tuple[PodView, ...],
    expectations: JobExpectations,
    store: JobStore,
    keys: Keys,
    epoch: int,
    now: float,
    granted: int | None,
    room: int,
) -> Snapshot:
    if job.array is None:
        units, intended = NO_UNITS, _OWN_INTENT if expectations.own_intent(epoch) else _NO_INTENT
    else:
        units, intended = arranged(job, expectations), expectations.own_units(epoch)
        expectations.rulings = expectations.rulings or Rulings()
    return Snapshot(
        job=job,
        pods=pods,
        now=now,
        dependencies=store.dependencies(job),
        claim=keys.claim_of(job, expectations=expectations, store=store, now=now),
        units=units,
        creating=frozenset(expectations.units_in_creation) if expectations.children else (),
        changing=frozenset(expectations.changing) if expectations.changing else (),
        refusal=refusal_for(expectations.refusal, granted=granted, now=now),
        keep_until=keep_until(job, expectations),
        recorded_at=expectations.written_at,
        intended=intended,
        granted=granted or 0,
        room=room,
        memory=expectations.rulings,
    )
