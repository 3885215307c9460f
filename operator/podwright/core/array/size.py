"""How large an array's record may grow, so that no status exceeds 256 KiB.

What takes room is not tasks but gaps between them: a range takes up to two indexes, a dash and a comma. Small arrays can't
exceed the limit, whatever happens to them. Of large ones, no new task is started while the record has too many ranges, and
too many failures far apart end the job. Ranges that running tasks leave come on top: at most 10,000 of them, 14 bytes each.
"""

import sys
from typing import Final

from podwright.core.spec import ArraySpec
from podwright.core.view import ArrayRecord

_SMALL: Final = 10_000
_BYTES_OF_RANGES: Final = 64_000
MOST_RUNNING_RANGES: Final = 2_000
"""Ranges of running tasks beyond which only their number is told."""
MOST_RETRY_GROUPS: Final = 500
"""Groups of tasks that wait for a retry; a group takes up to 150 bytes beside its indexes. Delays are brought together beyond."""


def is_full(*, array: ArraySpec, record: ArrayRecord) -> bool:
    """Tell whether nothing new should be started before some of what was started is done."""
    # Gaps between the chosen tasks themselves never close: they come on top, bounded by the length of `spec.array.indexes`.
    return _ranges(record) >= _most_ranges(array) + len(array.tasks.ranges) - 1


def most_scattered_failures(array: ArraySpec) -> int:
    """Give how many ranges of failed tasks the record may hold; as many gaps are then in what succeeded."""
    return _most_ranges(array) // 2 - 1


def _ranges(record: ArrayRecord) -> int:
    sets = [
        record.succeeded,
        record.failed,
        record.started,
        *(group.indexes for group in (*record.retries, *record.task_failures)),
    ]
    return sum(len(found.ranges) for found in sets)


def _most_ranges(array: ArraySpec) -> int:
    if array.size <= _SMALL:
        return sys.maxsize
    return _BYTES_OF_RANGES // (2 * len(str(array.size - 1)) + 2)
