"""Arrays between two decisions: how often one is made, and what its record looks like arranged. Called by `decision` and the issuer."""

from typing import Final

from podwright.core.job.array.units import Units, units_of
from podwright.core.values.index_set import EMPTY
from podwright.core.view import JobStatus, JobView
from podwright.store.notes import Notes

_SHARE: Final = 40
_LONGEST_PAUSE: Final = 2.0


def pause_after(cost: float) -> float:
    """Return how long an array is left alone after a decision that took `cost` seconds of the processor.

    An array has many events, and each decision looks at all its pods and ranges, so decisions take a fortieth of the time at most.
    With 500 pods a place that became free waits some 50 ms for its next pod.
    """
    return min(_LONGEST_PAUSE, _SHARE * cost)


def note_intents(status: JobStatus, *, job: JobView, notes: Notes, epoch: int) -> None:
    """Record what a status write is about to record as started."""
    before = EMPTY if job.status.array is None else job.status.array.started
    after = EMPTY if status.array is None else status.array.started
    if after != before:
        notes.intents.write(added=after - before, withdrawn=before - after, epoch=epoch)


def keep_until(job: JobView, notes: Notes) -> float:
    """Return when no creation of unknown outcome can start a pod any more; those made again since are known by their pods."""
    if job.status.is_over or job.array is None:
        return notes.creation_until
    return max((*notes.missing.values(), *notes.unanswered.values()), default=0.0)


def arranged(job: JobView, notes: Notes) -> Units:
    """Return the record of an array, arranged; anew if it has changed."""
    record = job.status.array
    if notes.units is None or notes.units.record is not record:
        notes.units = units_of(record)
    return notes.units
