"""The part of a packed pod's log that one task wrote. Pure.

A pack's runner writes `[podwright] task 17 started` before the output of each task and
`[podwright] task 17 exit 3 after 2s`, `… timed out after 60s` or `… stopped` after it.
"""

from __future__ import annotations

import re
from typing import Final

_MARK: Final = re.compile(rb"\[podwright\] task ([0-9]{1,7}) (started|stopped|(?:exit [0-9]+|timed out) after .*)\r?")


class Section:
    """Lets the lines of one task through. Lines must come in order, without their ends."""

    def __init__(self, task: int) -> None:
        self._task = task
        self._open = False
        self._among: set[int] = set()
        self.found = False
        """Whether the task has begun."""
        self.mixed = False
        """Whether other tasks ran beside it, so that lines of theirs may be among those let through."""

    @property
    def over(self) -> bool:
        """Whether the task has ended, so that nothing of it can follow."""
        return self.found and not self._open

    def keeps(self, line: bytes) -> bool:
        """Return whether a line belongs to the task. The marks of other tasks never do, its own do."""
        match = _MARK.fullmatch(line)
        if match is None:
            self.mixed = self.mixed or (self._open and bool(self._among))
            return self._open
        task, started = int(match[1]), match[2] == b"started"
        if task != self._task:
            if started:
                self._among.add(task)
            else:
                self._among.discard(task)
            return False
        self._open = started
        self.found = self.found or started
        return True
