"""The snapshot of one BatchJob that `core` decides on.

It holds the jobs this one depends on, who holds its idempotency key, and what is expected of its pods. Used by `job_decision` only.
"""

from typing import Final

import msgspec

from podwright.core.attempt.rulings import Rulings
from podwright.core.job.snapshot import NO_UNITS, Snapshot
from podwright.core.job.work import trusted
from podwright.core.model.attempt import Refusal
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.core.model.units import Units, units_of
from podwright.runtime.keys import Keys
from podwright.store.job_expectations import JobExpectations
from podwright.store.jobs import JobStore

_NO_INTENT: Final[frozenset[int]] = frozenset()
_OWN_INTENT: Final = frozenset({0})
_PATIENCE: Final = 60.0
"""Seconds after which a job that waits in a line is decided on even if it was not woken."""


def snapshot_of(
    job: JobView,
    *,
    pods: tuple[PodView, ...],
    expectations: JobExpectations,
    store: JobStore,
    keys: Keys,
    epoch: int,
    granted: int | None,
    room: int,
    now: float,
) -> Snapshot:
    """Return the snapshot of a job and these pods of it. `epoch` is that of our leader term; the rest as in `Controller.decide`."""
    first = store.job(job.work_uid) if job.work_uid else None
    job = trusted(job, first=first, system_namespace=keys.namespace)
    if job.array is None:
        units, intended = NO_UNITS, _OWN_INTENT if expectations.own_intent(epoch) else _NO_INTENT
    else:
        units, intended = _arranged(job, expectations), expectations.own_units(epoch)
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
        refusal=_refusal_for(expectations.refusal, granted=granted, now=now),
        keep_until=_keep_until(job, expectations),
        recorded_at=expectations.written_at,
        intended=intended,
        memory=expectations.rulings,
        granted=granted or 0,
        room=room,
    )


def _arranged(job: JobView, expectations: JobExpectations) -> Units:
    """Return the record of an array, arranged; anew if it has changed."""
    record = job.status.array
    if expectations.units is None or expectations.units.record is not record:
        expectations.units = units_of(record)
    return expectations.units


def _keep_until(job: JobView, expectations: JobExpectations) -> float:
    """Return when no creation of unknown outcome can start a pod any more; those made again since are known by their pods."""
    if job.status.is_over or job.array is None:
        return expectations.creation_until
    return expectations.late_creation_until


def _refusal_for(refusal: Refusal | None, *, granted: int | None, now: float) -> Refusal | None:
    """Return the refusal as policies are to see it: the line that the job waits in says when it is time to ask again."""
    if refusal is None or granted is None:
        return refusal
    return msgspec.structs.replace(refusal, at=0.0 if granted else now + _PATIENCE)
