"""How many deletions of what is no longer wanted may be under way at once: few, however many are due.

After a restart the time of thousands of jobs may have come. They wait in line here, outside the writer's queue, so that
they neither fill it nor are decided on again and again. Used by the engine only.
"""

from collections.abc import Iterator
from typing import Final

from podwright.core.values.ref import Ref
from podwright.store.work_queue import WorkQueue

PLACES: Final = 16


class Cleanup:
    """Places for deletions, and the objects that wait for one."""

    def __init__(self, *, places: int = PLACES) -> None:
        self._free = places
        self._waiting = WorkQueue[Ref]()

    @property
    def ready(self) -> bool:
        """Return whether a job that waits could go on."""
        return self._free > 0 and len(self._waiting) > 0

    def begin(self, of: Ref) -> bool:
        """Take a place, or have the job wait for one."""
        if self._free <= 0:
            self._waiting.add(of)
            return False
        self._free -= 1
        return True

    def end(self) -> None:
        """Return a place back."""
        self._free += 1

    def admitted(self) -> Iterator[Ref]:
        """Remove and return the jobs in line that there are places for now. They must be reconciled anew: time has passed."""
        for _ in range(min(self._free, len(self._waiting))):
            yield self._waiting.pop()
