"""Tasks that wait for single tasks of another array (`dependsOn[].tasks: NToN`): which may run, and which are given up."""

import msgspec

from podwright.core.array.status import array_status
from podwright.core.array.units import Units, open_tasks, tasks_of, units_with
from podwright.core.commands import WriteStatus
from podwright.core.index_set import EMPTY, IndexSet
from podwright.core.job.dependency import Dependencies
from podwright.core.job.phase import Phase
from podwright.core.job.task_dependency import TaskDependencies, task_dependencies
from podwright.core.job.write import write_status
from podwright.core.spec import ArraySpec
from podwright.core.view import JobView

_WHILE = (None, Phase.PENDING, Phase.RUNNING, Phase.RETRYING)


def waits_by_task(job: JobView) -> bool:
    """Tell whether any task waits for a task of another array."""
    return any(wanted.task_by_task for wanted in job.dependencies)


def permitted(*, job: JobView, array: ArraySpec, units: Units, dependencies: Dependencies) -> IndexSet:
    """Give the tasks that may run. A pack may once all its open tasks may; what was tried once is not asked again."""
    found = task_dependencies(job=job, dependencies=dependencies)
    ready = found.ready | _begun(array, units)
    if array.pack == 1:
        return ready
    held = units_with(array=array, tasks=open_tasks(array=array, record=units.record) - ready)
    for unit in held:
        ready = ready - tasks_of(array=array, unit=unit)
    return ready


def give_up(
    *, job: JobView, array: ArraySpec, units: Units, busy: IndexSet, dependencies: Dependencies, now: float
) -> WriteStatus | None:
    """Record tasks as failed whose counterpart will never do what they wait for; None if there are none (left).

    Without an own set for them, tasks to be skipped count as failed as well. `busy` are units that have a pod.
    """
    if job.status.phase not in _WHILE:
        return None
    found: TaskDependencies = task_dependencies(job=job, dependencies=dependencies)
    lost = (found.failed | found.skipped) & open_tasks(array=array, record=units.record)
    lost = lost - _begun(array, units) - _tasks_of_all(array, busy)
    if not lost:
        return None
    known = job.status.array
    status = array_status(
        job=job,
        array=array,
        phase=job.status.phase or Phase.PENDING,
        reason="DependencyFailed",
        message=f"{len(lost)} tasks can't start any more: the tasks that they wait for ended otherwise",
        record=msgspec.structs.replace(units.record, failed=units.record.failed | lost),
        ends=(),
        running=EMPTY if known is None else known.running,
        now=now,
    )
    return write_status(job=job, status=status)


def _begun(array: ArraySpec, units: Units) -> IndexSet:
    return _tasks_of_all(array, IndexSet.of(units.groups))


def _tasks_of_all(array: ArraySpec, units: IndexSet) -> IndexSet:
    spans = [(low * array.pack, (high + 1) * array.pack - 1) for low, high in units.ranges]
    return IndexSet.of_ranges(spans) & array.tasks
