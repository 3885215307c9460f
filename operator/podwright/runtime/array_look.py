"""Arrays between two decisions: how often one is made, and what its record looks like arranged. Called by `decision` and the issuer."""

from typing import Final

import msgspec

from podwright.core.model.attempt import Refusal
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.units import Units, units_of
from podwright.core.values.index_set import EMPTY
from podwright.store.intents import Intents
from podwright.store.job_expectations import JobExpectations

_SHARE: Final = 40
_LONGEST_PAUSE: Final = 2.0


def pause_after(cost: float) -> float:
    """Return how long an array is left alone after a decision that took `cost` seconds of the processor.

    An array has many events, and each decision looks at all its pods and ranges, so decisions take a fortieth of the time at most.
    With 500 pods a place that became free waits some 50 ms for its next pod.
    """
    return min(_LONGEST_PAUSE, _SHARE * cost)


def note_intents(status: JobStatus, *, job: JobView, expectations: JobExpectations, epoch: int) -> None:
    """Record what a status write is about to record as started."""
    before = EMPTY if job.status.array is None else job.status.array.started
    after = EMPTY if status.array is None else status.array.started
    if expectations.intents is None:
        if not (before or after):
            return  # as of every array but those under AtMostOnce
        expectations.intents = Intents()
    expectations.intents.write(added=after - before, withdrawn=before - after, epoch=epoch)


def keep_until(job: JobView, expectations: JobExpectations) -> float:
    """Return when no creation of unknown outcome can start a pod any more; those made again since are known by their pods."""
    if job.status.is_over or job.array is None:
        return expectations.creation_until
    return expectations.late_creation_until


def arranged(job: JobView, expectations: JobExpectations) -> Units:
    """Return the record of an array, arranged; anew if it has changed."""
    record = job.status.array
    if expectations.units is None or expectations.units.record is not record:
        expectations.units = units_of(record)
    return expectations.units


def refusal_for(refusal: Refusal | None, *, granted: int | None, now: float) -> Refusal | None:
    """Return the refusal as policies are to see it: the namespace's line for quota says when it is time to ask again."""
    if refusal is None or granted is None:
        return refusal
    return msgspec.structs.replace(refusal, at=0.0 if granted else now)
