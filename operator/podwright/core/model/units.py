"""Which tasks make a unit, and what the record says of each unit. Used by all policies of arrays."""

from collections.abc import Mapping

import msgspec

from podwright.core.model.array import ArrayRecord, RetryGroup
from podwright.core.model.job import JobView
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import EMPTY, IndexSet

_UNTRIED = RetryGroup(indexes=EMPTY, attempts=0)


class Units(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An array's record, arranged for looking things up by unit; made anew when the record changes."""

    record: ArrayRecord
    groups: Mapping[int, RetryGroup]

    def attempts(self, unit: int) -> int:
        """Return how many attempts of the unit ended on record: the number of the attempt that may run now."""
        group = self.groups.get(unit)
        return 0 if group is None else group.attempts

    def history(self, unit: int) -> RetryGroup:
        """Return the counts of the unit, zeros if no attempt of it has ended."""
        return self.groups.get(unit, _UNTRIED)


def units_of(record: ArrayRecord | None) -> Units:
    """Arrange a record."""
    record = ArrayRecord() if record is None else record
    return Units(record=record, groups={unit: group for group in record.retries for unit in group.indexes})


def unit_of(*, array: ArraySpec, task: int) -> int:
    """Return the unit that a task belongs to."""
    return task // array.pack


def tasks_of(*, array: ArraySpec, unit: int) -> IndexSet:
    """Return all tasks of a unit, ended ones included."""
    if array.pack == 1:
        return IndexSet(((unit, unit),))
    return IndexSet(((unit * array.pack, (unit + 1) * array.pack - 1),)) & array.tasks


def tasks_of_all(*, array: ArraySpec, units: IndexSet) -> IndexSet:
    """Return all tasks of many units, ended ones included."""
    if array.pack == 1:
        return units & array.tasks
    spans = [(low * array.pack, (high + 1) * array.pack - 1) for low, high in units.ranges]
    return IndexSet.of_ranges(spans) & array.tasks


def open_tasks(*, array: ArraySpec, record: ArrayRecord) -> IndexSet:
    """Return the tasks that have neither succeeded nor failed for good, and are to run."""
    return array.tasks - record.succeeded - record.failed - record.skipped


def open_tasks_of(*, array: ArraySpec, unit: int, record: ArrayRecord) -> IndexSet:
    """Return those of a unit."""
    return tasks_of(array=array, unit=unit) - record.succeeded - record.failed - record.skipped


def units_with(*, array: ArraySpec, tasks: IndexSet) -> IndexSet:
    """Return the units that hold any of the tasks."""
    if array.pack == 1:
        return tasks
    spans = [(low // array.pack, high // array.pack) for low, high in tasks.ranges]
    return IndexSet.of_ranges(spans)


def end_on_record(*, job: JobView, unit: int, attempt: int) -> bool:
    """Return whether the record of an array holds the end of this attempt, so that its pod may be forgotten."""
    record = job.status.array
    if record is None or job.array is None:
        return False
    if any(unit in group.indexes and attempt < group.attempts for group in record.retries):
        return True
    return not open_tasks_of(array=job.array, unit=unit, record=record)
