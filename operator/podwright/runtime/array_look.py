"""One look at an array: puts together what `core.array.decide` needs, and spaces the looks out.

Called by the engine. An array has many events, and each look costs something for each of its pods, so looks are made at
most as often as their cost allows.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from podwright.core.commands import Decision
from podwright.core.job.array.by_task import give_up, missing_dependency, permitted, waits_by_task
from podwright.core.job.array.decide import decide_array
from podwright.core.job.array.look import Look
from podwright.core.job.array.units import Units, units_of
from podwright.core.job.gates.dependency import NO_DEPENDENCIES, Dependencies
from podwright.core.values.index_set import EMPTY, IndexSet
from podwright.core.view import JobStatus, JobView, PodView, Refusal
from podwright.store.job_expectations import JobExpectations

PAUSE: Final = 40.0
"""How much longer than it takes to reconcile an array it is left alone afterwards, so that one takes a fortieth of the time at most;
a place that became free waits half the pause for its next pod, 50 ms with 500 pods."""
LONGEST_PAUSE: Final = 5.0


def look_at_array(
    *,
    job: JobView,
    pods: Sequence[PodView],
    expectations: JobExpectations,
    epoch: int,
    now: float,
    dependencies: Dependencies = NO_DEPENDENCIES,
    granted: int | None = None,
    room: int = 1_000_000,
) -> Decision:
    """Decide on an array. `dependencies` are the jobs that it depends on, some maybe task by task."""
    if job.array is None:
        raise ValueError(f"job {job.namespace}/{job.name} is no array")
    if now < expectations.reconcile_after:
        return Decision(requeue_at=expectations.reconcile_after)
    units = _arranged(job, expectations)
    allowed, missing = None, ""
    if waits_by_task(job) and not job.deleting:
        busy = IndexSet.of([*expectations.units_in_creation, *(pod.task_index for pod in pods)])
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
            creating=frozenset(expectations.units_in_creation),
            changing=frozenset(expectations.changing),
            refusal=refusal_for(expectations.refusal, granted=granted, now=now),
            now=now,
            keep_until=_keep_until(job, expectations),
            recorded_at=expectations.written_at,
            allowed=allowed,
            missing=missing,
            granted=granted or 0,
            room=room,
            intended=expectations.intents.own(epoch),
        )
    )


def note_intents(status: JobStatus, *, job: JobView, expectations: JobExpectations, epoch: int) -> None:
    """Record what a status write is about to record as started."""
    before = EMPTY if job.status.array is None else job.status.array.started
    after = EMPTY if status.array is None else status.array.started
    if after != before:
        expectations.intents.write(added=after - before, withdrawn=before - after, epoch=epoch)


def refusal_for(refusal: Refusal | None, *, granted: int | None, now: float) -> Refusal | None:
    """Return the refusal as policies are to see it: the namespace's line for quota says when it is time to ask again."""
    if refusal is None or granted is None:
        return refusal
    return msgspec.structs.replace(refusal, at=0.0 if granted else now)


def _keep_until(job: JobView, expectations: JobExpectations) -> float:
    """Return when no creation of unknown outcome can start a pod any more; those made again since are known by their pods."""
    if job.status.is_over:
        return expectations.creation_until
    return expectations.late_creation_until


def _arranged(job: JobView, expectations: JobExpectations) -> Units:
    record = job.status.array
    if expectations.units is None or expectations.units.record is not record:
        expectations.units = units_of(record)
    return expectations.units
