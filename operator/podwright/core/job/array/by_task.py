"""Tasks that wait for single tasks of another array (`dependsOn[].tasks: NToN`): which may run, and which are given up."""

import msgspec

from podwright.core.commands import WriteStatus
from podwright.core.constants.reasons import Reason
from podwright.core.job.array.status import array_status
from podwright.core.job.gates.dependency import Dependencies
from podwright.core.job.gates.task_dependency import TaskDependencies, task_dependencies
from podwright.core.job.snapshot import Snapshot
from podwright.core.job.status import write_status
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.model.units import Units, open_tasks, tasks_of_all, units_with
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import EMPTY, IndexSet

_WHILE = (None, Phase.PENDING, Phase.RUNNING, Phase.RETRYING)


def waits_by_task(job: JobView) -> bool:
    """Return whether any task waits for a task of another array."""
    return any(wanted.task_by_task for wanted in job.dependencies)


def missing_dependency(*, job: JobView, dependencies: Dependencies) -> str:
    """Return the name of a job whose tasks are waited for and that doesn't exist (any more); "" if there is none."""
    wanted = (each.name for each in job.dependencies if each.task_by_task)
    return next((name for name in wanted if name not in dependencies.jobs), "")


def permitted(*, job: JobView, array: ArraySpec, units: Units, dependencies: Dependencies) -> IndexSet:
    """Return the tasks that may run. A pack may once all its open tasks may; what was tried, or may have been, is not asked again."""
    found = task_dependencies(job=job, dependencies=dependencies)
    ready = found.ready | _begun(array, units)
    if array.pack == 1:
        return ready
    held = units_with(array=array, tasks=open_tasks(array=array, record=units.record) - ready)
    return ready - tasks_of_all(array=array, units=held)


def with_permissions(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with what other jobs permit to run, and with the name of one that is missing."""
    job, dependencies = snapshot.job, snapshot.dependencies
    return msgspec.structs.replace(
        snapshot,
        allowed=permitted(job=job, array=snapshot.array, units=snapshot.units, dependencies=dependencies),
        missing=missing_dependency(job=job, dependencies=dependencies),
    )


def give_up(snapshot: Snapshot) -> WriteStatus | None:
    """Record tasks as failed, or skipped, whose counterpart will never do what they wait for; None if there are none (left)."""
    job, array, units = snapshot.job, snapshot.array, snapshot.units
    busy = IndexSet.of([*snapshot.creating, *(pod.task_index for pod in snapshot.pods)])
    if job.status.phase not in _WHILE:
        return None
    found: TaskDependencies = task_dependencies(job=job, dependencies=snapshot.dependencies)
    untried = (
        open_tasks(array=array, record=units.record) - _begun(array, units) - tasks_of_all(array=array, units=busy)
    )
    failed, skipped = found.failed & untried, found.skipped & untried
    if not failed and not skipped:
        return None
    known, record = job.status.array, units.record
    count = len(failed) + len(skipped)
    status = array_status(
        job=job,
        array=array,
        phase=job.status.phase or Phase.PENDING,
        reason=Reason.DEPENDENCY_FAILED,
        message=f"{count} tasks can't start any more: the tasks that they depend on did not end as required",
        record=msgspec.structs.replace(
            record,
            failed=record.failed | failed,
            skipped=record.skipped | skipped,
            given_up=record.given_up + len(failed),
        ),
        ends=(),
        running=EMPTY if known is None else known.running,
        now=snapshot.now,
    )
    return write_status(job=job, status=status)


def _begun(array: ArraySpec, units: Units) -> IndexSet:
    """Return the tasks that were tried, and those that may have been: under AtMostOnce they are on record before they have a pod."""
    return tasks_of_all(array=array, units=units.record.tried | units.record.started)
