"""Arrays under `deliveryMode: AtMostOnce`: a unit is on record as started before its pod is asked for, many in one write.

The rule for single jobs (ADR 0011), for sets: what is on record as started and has no pod may have run, unless it is this
process that recorded it and surely has not asked for the pod. `going` asks, `closing` takes intents back; `record` takes units off
that never ran.
"""

from collections.abc import Sequence

import msgspec

from podwright.core.commands import Confirm
from podwright.core.constants.names import array_pod_name
from podwright.core.job.array.look import Look, SortedPods
from podwright.core.job.array.start import Starts
from podwright.core.job.array.units import open_tasks, units_with
from podwright.core.job.pod.attempt_pod import confirm_pod
from podwright.core.spec import DeliveryMode
from podwright.core.values.index_set import IndexSet
from podwright.core.view import ArrayRecord

_AT_ONCE = 100
"""Pods that are looked for at once."""


class Intended(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What may be created now, and what must be recorded as started before it may."""

    units: tuple[int, ...] = ()
    to_record: IndexSet = IndexSet()


def is_wanted(look: Look) -> bool:
    """Return whether no task may be started twice."""
    return look.job.delivery is DeliveryMode.AT_MOST_ONCE


def unknown_units(look: Look, pods: SortedPods) -> tuple[int, ...]:
    """Return the units that are on record as started, by whoever was here before, and whose pods we don't know of."""
    if not is_wanted(look):
        return ()
    unended = units_with(array=look.array, tasks=open_tasks(array=look.array, record=look.units.record))
    started = look.units.record.started & unended
    return tuple(unit for unit in started if unit not in pods.busy and unit not in look.intended)


def confirmations(look: Look, unknown: Sequence[int]) -> tuple[Confirm, ...]:
    """Ask the API server for the pods of such units, some at a time.

    A creation without an answer may still arrive: until it can't any more, an absence tells nothing.
    """
    if look.now < look.keep_until:
        return ()
    job = look.job
    return tuple(
        confirm_pod(
            job=job,
            name=array_pod_name(job_name=job.name, job_uid=job.uid, index=unit, attempt=look.units.attempts(unit)),
        )
        for unit in unknown[:_AT_ONCE]
    )


def sorted_starts(look: Look, starts: Starts) -> Intended:
    """Part the units to start into those that are on record as started by us, and the others."""
    ready = tuple(unit for unit in starts.units if unit in look.units.record.started and unit in look.intended)
    return Intended(units=ready, to_record=IndexSet.of(starts.units) - look.units.record.started)


def unused(look: Look) -> IndexSet:
    """Return the units that are on record as started by us, and surely weren't."""
    return look.units.record.started & IndexSet.of(look.intended)


def withdrawn(look: Look, record: ArrayRecord) -> ArrayRecord:
    """Take the unused intents off the record, before a wait: a crash meanwhile would make them tasks that may have run."""
    return msgspec.structs.replace(record, started=record.started - unused(look))
