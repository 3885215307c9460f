"""One look at an array: puts together what `core.array.decide` needs, and spaces the looks out.

Called by the engine. An array has many events, and each look costs something for each of its pods, so looks are made at
most as often as their cost allows.
"""

from collections.abc import Sequence
from typing import Final

from podwright.core.commands import Decision
from podwright.core.job.array.by_task import give_up, missing_dependency, permitted, waits_by_task
from podwright.core.job.array.decide import decide_array
from podwright.core.job.array.look import Look
from podwright.core.job.array.units import Units, units_of
from podwright.core.job.gates.dependency import NO_DEPENDENCIES, Dependencies
from podwright.core.values.index_set import EMPTY, IndexSet
from podwright.core.view import JobStatus, JobView, PodView
from podwright.store.notes import Notes

_PAUSE_PER_POD: Final = 0.0002
"""Seconds. A look costs some five microseconds for each pod, so looks take a fortieth of the time at most; a place that
became free waits half the pause for its next pod, 50 ms with 500 pods."""


def look_at_array(
    *,
    job: JobView,
    pods: Sequence[PodView],
    notes: Notes,
    epoch: int,
    now: float,
    dependencies: Dependencies = NO_DEPENDENCIES,
) -> Decision:
    """Decide on an array. `dependencies` are the jobs that it depends on, some maybe task by task."""
    if job.array is None:
        raise ValueError(f"job {job.namespace}/{job.name} is no array")
    if now < notes.look_after:
        return Decision(requeue_at=notes.look_after)
    notes.look_after = now + _PAUSE_PER_POD * len(pods)
    units = _arranged(job, notes)
    allowed, missing = None, ""
    if waits_by_task(job) and not job.deleting:
        busy = IndexSet.of([*notes.creating.values(), *(pod.task_index for pod in pods)])
        lost = give_up(job=job, array=job.array, units=units, busy=busy, dependencies=dependencies, now=now)
        if lost is not None:
            return Decision(commands=(lost,))
        allowed = permitted(job=job, array=job.array, units=units, dependencies=dependencies)
        missing = missing_dependency(job=job, dependencies=dependencies)
    return decide_array(
        Look(
            job=job,
            array=job.array,
            units=units,
            pods=pods,
            creating=frozenset(notes.creating.values()),
            changing=frozenset(notes.changing),
            refusal=notes.refusal,
            now=now,
            keep_until=_keep_until(job, notes),
            recorded_at=notes.written_at,
            allowed=allowed,
            missing=missing,
            intended=notes.intents.own(epoch),
        )
    )


def note_intents(status: JobStatus, *, job: JobView, notes: Notes, epoch: int) -> None:
    """Record what a status write is about to record as started."""
    before = EMPTY if job.status.array is None else job.status.array.started
    after = EMPTY if status.array is None else status.array.started
    if after != before:
        notes.intents.write(added=after - before, withdrawn=before - after, epoch=epoch)


def _keep_until(job: JobView, notes: Notes) -> float:
    """Return when no creation of unknown outcome can start a pod any more; those made again since are known by their pods."""
    if job.status.is_over:
        return notes.creation_until
    return max((*notes.missing.values(), *notes.unanswered.values()), default=0.0)


def _arranged(job: JobView, notes: Notes) -> Units:
    record = job.status.array
    if notes.units is None or notes.units.record is not record:
        notes.units = units_of(record)
    return notes.units
