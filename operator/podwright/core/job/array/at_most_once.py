"""Arrays under `deliveryMode: AtMostOnce`: a unit is on record as started before its pod is asked for, many in one write.

The rule for single jobs (ADR 0011), for sets: what is on record as started and has no pod may have run, unless it is this
process that recorded it and surely has not asked for the pod. `active` asks, `termination` takes intents back; `record` takes units off
that never ran.
"""

from collections.abc import Sequence

import msgspec

from podwright.core.commands import Confirm
from podwright.core.constants.names import array_pod_name
from podwright.core.job.array.pods import SortedPods
from podwright.core.job.array.start import Starts
from podwright.core.job.pod.attempt_pod import confirm_pod
from podwright.core.job.snapshot import Snapshot
from podwright.core.model.array import ArrayRecord
from podwright.core.model.units import open_tasks, units_with
from podwright.core.spec import DeliveryMode
from podwright.core.values.index_set import IndexSet

_AT_ONCE = 100
"""Pods that are looked for at once."""


class Intended(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What may be created now, and what must be recorded as started before it may."""

    units: tuple[int, ...] = ()
    to_record: IndexSet = IndexSet()


def is_wanted(snapshot: Snapshot) -> bool:
    """Return whether no task may be started twice."""
    return snapshot.job.delivery is DeliveryMode.AT_MOST_ONCE


def unknown_units(snapshot: Snapshot, pods: SortedPods) -> tuple[int, ...]:
    """Return the units that are on record as started, by whoever was here before, and whose pods we don't know of."""
    if not is_wanted(snapshot):
        return ()
    unended = units_with(array=snapshot.array, tasks=open_tasks(array=snapshot.array, record=snapshot.units.record))
    started = snapshot.units.record.started & unended
    return tuple(unit for unit in started if unit not in pods.busy and unit not in snapshot.intended)


def confirmations(snapshot: Snapshot, unknown: Sequence[int]) -> tuple[Confirm, ...]:
    """Ask the API server for the pods of such units, some at a time.

    A creation without an answer may still arrive: until it can't any more, an absence proves nothing.
    """
    if snapshot.now < snapshot.keep_until:
        return ()
    job = snapshot.job
    return tuple(
        confirm_pod(
            job=job,
            name=array_pod_name(job_name=job.name, job_uid=job.uid, index=unit, attempt=snapshot.units.attempts(unit)),
        )
        for unit in unknown[:_AT_ONCE]
    )


def sorted_starts(snapshot: Snapshot, starts: Starts) -> Intended:
    """Part the units to start into those that are on record as started by us, and the others."""
    ready = tuple(unit for unit in starts.units if unit in snapshot.units.record.started and unit in snapshot.intended)
    return Intended(units=ready, to_record=IndexSet.of(starts.units) - snapshot.units.record.started)


def unused(snapshot: Snapshot) -> IndexSet:
    """Return the units that are on record as started by us, and surely weren't."""
    return snapshot.units.record.started & IndexSet.of(snapshot.intended)


def withdrawn(snapshot: Snapshot, record: ArrayRecord) -> ArrayRecord:
    """Take the unused intents off the record, before a wait: a crash meanwhile would make them tasks that may have run."""
    return msgspec.structs.replace(record, started=record.started - unused(snapshot))
