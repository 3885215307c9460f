"""How large an array's record may grow, so that no status exceeds 256 KiB: etcd keeps it, and every watch gets it, again and again.

What takes room is not tasks but gaps between them. Of three bounds each is there for when the one before did not help: nothing
new is started while the record is large (`is_full`); failures so scattered that it can't become small again end the job
(`is_too_scattered`); and no write records more ends than fit (`fits`). The first two come on top of what `spec.array.indexes` takes.
"""

from typing import Final

import msgspec

from podwright.core.model.array import ArrayRecord
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import EMPTY, IndexSet

STATUS_LIMIT: Final = 256 * 1024
MOST_RUNNING_RANGES: Final = 2_000
"""Ranges of running tasks beyond which only their number is recorded."""
MOST_GROUPS: Final = 1_000
"""Groups of tasks that were tried alike; the schema allows twice as many."""
_MOST_TASK_GROUPS: Final = 200
_LARGE: Final = 64_000
_GROUP: Final = 180  # bytes of a group beside its indexes
_RANGE_OF_RUNNING: Final = 14
MOST_ENDINGS: Final = 5
"""Different reasons, with their messages, for which attempts are being ended at once; others wait for their turn."""
_OTHER: Final = (
    100_000  # ten attempts, three conditions, five endings: messages of 1,024 characters, of up to four bytes each
)
_MOST: Final = STATUS_LIMIT - _OTHER - MOST_RUNNING_RANGES * _RANGE_OF_RUNNING


def with_running(record: ArrayRecord, running: IndexSet) -> ArrayRecord:
    """Return the record with the running tasks on it: their indexes, or only how many they are where they are too scattered."""
    if len(running.ranges) <= MOST_RUNNING_RANGES:
        return msgspec.structs.replace(record, running=running, running_unlisted=0)
    return msgspec.structs.replace(record, running=EMPTY, running_unlisted=len(running))


def shows_running(record: ArrayRecord, running: IndexSet) -> bool:
    """Return whether the record says of the running tasks what `with_running` would."""
    if len(running.ranges) <= MOST_RUNNING_RANGES:
        return record.running == running and not record.running_unlisted
    return record.running_unlisted == len(running)


def is_full(*, array: ArraySpec, record: ArrayRecord) -> bool:
    """Return whether nothing new should be started before some of what was started is done."""
    size = _size(array, record)
    return size > _LARGE and size > _LARGE + len(str(array.tasks))


def is_too_scattered(*, array: ArraySpec, record: ArrayRecord) -> bool:
    """Return whether the record stays large whatever becomes of the tasks that are not done."""
    lasting = len(record.failed.ranges) + len(record.skipped.ranges)
    if 2 * lasting * _range_width(array) <= _LARGE:  # each of them may leave a gap in what succeeds
        return False
    rest = array.tasks - record.failed - record.skipped
    return sum(len(str(tasks)) for tasks in (record.failed, record.skipped, rest)) > _LARGE + len(str(array.tasks))


def fits(*, array: ArraySpec, record: ArrayRecord) -> bool:
    """Return whether a status with this record can be written."""
    if len(record.retries) > MOST_GROUPS or len(record.task_failures) > _MOST_TASK_GROUPS:
        return False
    return _size(array, record) <= _MOST


def room_for_units(*, array: ArraySpec, record: ArrayRecord) -> int:
    """Return how many units more may be on record as started, 1 at least."""
    return max(1, (_MOST - _size(array, record)) // (_digits(array) + 1))


def _size(array: ArraySpec, record: ArrayRecord) -> int:
    """Return the bytes of all sets but that of the running tasks: counted roughly, and exactly if that were much."""
    groups = (*record.retries, *record.task_failures)
    ending = (group.indexes for group in record.ending)
    tried = (group.indexes for group in groups)
    sets = (record.succeeded, record.failed, record.skipped, record.started, *tried, *ending)
    beside = len(groups) * _GROUP + sum(_GROUP + len(group.message.encode()) for group in record.ending)
    rough = beside + sum(len(tasks.ranges) for tasks in sets) * _range_width(array)
    return rough if rough <= _LARGE else beside + sum(len(str(tasks)) for tasks in sets)


def _range_width(array: ArraySpec) -> int:
    return 2 * _digits(array) + 2


def _digits(array: ArraySpec) -> int:
    return len(str(array.size - 1))
