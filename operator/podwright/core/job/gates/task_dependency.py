"""`spec.dependsOn[].tasks: NToN`: task i of an array waits for task i of another array of the same size.

Called by the array's own policies; the gate of the whole job (`dependency`) has refused arrays that don't fit before.
"""

import msgspec

from podwright.core.job.gates.dependency import WORDS, Dependencies, task_mismatch
from podwright.core.model.array import ArrayRecord
from podwright.core.model.job import JobView
from podwright.core.model.units import tasks_of_all
from podwright.core.spec import ArraySpec, Dependency, DependencyCondition, Otherwise
from podwright.core.values.index_set import EMPTY, IndexSet

_NAMED = 3


class TaskDependencies(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How the tasks of an array stand with what they wait for. The sets don't overlap; tasks in none must wait.

    Attributes:
        ready: all their conditions are met, or don't matter any more (`otherwise: Run`).
        failed: a condition can't come true any more, and `otherwise` is Fail.
        skipped: likewise, and `otherwise` is Skip, and no other dependency says Fail.
    """

    ready: IndexSet
    failed: IndexSet = EMPTY
    skipped: IndexSet = EMPTY


def task_dependencies(*, job: JobView, dependencies: Dependencies) -> TaskDependencies:
    """Judge every task of an array by its NToN dependencies; without any, all tasks are ready.

    A dependency that does not exist (any more), or is no array of the same size, lets no task start.
    """
    tasks = EMPTY if job.array is None else job.array.tasks
    ready, failed, skipped = tasks, EMPTY, EMPTY
    for wanted in job.dependencies:
        if not wanted.task_by_task:
            continue
        other = dependencies.jobs.get(wanted.name)
        if other is None or task_mismatch(job=job, other=other):
            ready = EMPTY
            continue
        met, never = outlook(wanted=wanted, other=other)
        never = never & tasks
        if wanted.otherwise is Otherwise.RUN:
            met = met | never
        elif wanted.otherwise is Otherwise.SKIP:
            skipped = skipped | never
        else:
            failed = failed | never
        ready = ready & met
    return TaskDependencies(ready=ready - failed - skipped, failed=failed, skipped=skipped - failed)


def outlook(*, wanted: Dependency, other: JobView) -> tuple[IndexSet, IndexSet]:
    """Return for which tasks of another array a condition is met, and for which it can't come true any more.

    Tasks that the other array leaves out (`array.indexes`) have no counterpart to wait for: for them it never comes true.
    """
    record = other.status.array or ArrayRecord()
    if other.array is None:
        return EMPTY, EMPTY
    every = IndexSet.up_to(other.array.size)
    over = other.status.is_over
    met, contrary = _met(wanted.condition, record=record, array=other.array, over=over)
    if over:
        return met, every - met
    return met, contrary | (every - other.array.tasks)


def unmet_in_words(job: JobView) -> str:
    """Say why tasks of the array were given up, which is no longer known of each: what they wait for, or else fail."""
    deciding = [each for each in job.dependencies if each.task_by_task and each.otherwise is Otherwise.FAIL]
    told = [f"tasks of job {each.name} did not {WORDS[each.condition]}" for each in deciding[:_NAMED]]
    return " or ".join([*told, "…"] if len(deciding) > _NAMED else told)


def _met(
    condition: DependencyCondition, *, record: ArrayRecord, array: ArraySpec, over: bool
) -> tuple[IndexSet, IndexSet]:
    """Return the tasks for which the condition is met, and those whose own end rules it out."""
    if condition is DependencyCondition.SUCCEEDED:
        return record.succeeded, record.failed | record.skipped
    if condition is DependencyCondition.FAILED:
        return record.failed, record.succeeded | record.skipped
    if condition is DependencyCondition.FINISHED:
        return (array.tasks if over else record.succeeded | record.failed | record.skipped), EMPTY
    # What is only meant to be started (`record.started`) may yet be refused.
    tried = EMPTY if record.never_started else tasks_of_all(array=array, units=record.tried)
    started = record.succeeded | record.running | tried
    if record.never_started or len(record.failed) == record.given_up:
        return started, record.skipped | record.failed  # none of them ever ran
    return started | record.failed, record.skipped
