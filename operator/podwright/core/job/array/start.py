"""Which units get a pod now: retries whose delay is over first, then new ones in order, as many as parallelism allows."""

from collections.abc import Collection, Iterator

import msgspec

from podwright.core.job.array.size import is_full
from podwright.core.model.units import Units, open_tasks, open_tasks_of, units_with
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet


class Starts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The units to start, and when the next delay will be over."""

    units: tuple[int, ...] = ()
    next_due: float | None = None


def startable(
    *,
    array: ArraySpec,
    units: Units,
    busy: Collection[int],
    places: int,
    now: float,
    allowed: IndexSet | None = None,
) -> Starts:
    """Choose units.

    Args:
        array: the job's array.
        units: its record.
        busy: units that have a pod, or may have one.
        places: how many pods may be created.
        now: Unix seconds.
        allowed: tasks that other jobs permit to run; None for all.
    """
    left = open_tasks(array=array, record=units.record)
    if array.sequential:
        left = _first(left)
    if allowed is not None:
        left = left & allowed
    waiting = units_with(array=array, tasks=left)
    chosen: list[int] = []
    next_due: float | None = None
    tried = units.record.tried
    for group in units.record.retries:
        due = group.due
        if due is not None and due > now:
            next_due = due if next_due is None else min(next_due, due)
        else:
            _take(chosen, group.indexes & waiting, busy=busy, places=places)
    if not is_full(array=array, record=units.record):
        _take(chosen, waiting - tried, busy=busy, places=places)
    elif not busy and not tried:
        # Nothing that runs will make room, as when tasks wait for those of another array: only the waiting ones can close gaps.
        _take(chosen, waiting - tried, busy=busy, places=min(places, 1))
    return Starts(units=tuple(chosen), next_due=next_due)


def tasks_to_run(*, array: ArraySpec, units: Units, unit: int) -> IndexSet:
    """Return the tasks that the unit's next pod runs: a function of the record alone, as the pod's name is its lock."""
    return open_tasks_of(array=array, unit=unit, record=units.record)


def _take(chosen: list[int], units: IndexSet, *, busy: Collection[int], places: int) -> None:
    candidates: Iterator[int] = iter(units)
    while len(chosen) < places:
        unit = next(candidates, None)
        if unit is None:
            return
        if unit not in busy:
            chosen.append(unit)


def _first(tasks: IndexSet) -> IndexSet:
    return IndexSet(((tasks.ranges[0][0], tasks.ranges[0][0]),)) if tasks else tasks
