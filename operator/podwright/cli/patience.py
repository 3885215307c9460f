"""How long a command waits: for what it was asked to wait for, and for an API server that is away for a moment."""

from __future__ import annotations

import time
from typing import Final

from podwright.cli.errors import CommandError
from podwright.cli.failures import BrokenStreamError, Unreachable
from podwright.kube.errors import StatusError

_PAUSE_SECONDS: Final = 1.0


class DeadlineError(Exception):
    """The time is over."""


class Deadline:
    """A point in time that is never reached if `seconds` is None."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._at = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; infinite without a limit.

        Raises:
            DeadlineError: there are none.
        """
        if self._at is None:
            return float("inf")
        left = self._at - time.monotonic()
        if left <= 0:
            raise DeadlineError
        return left

    def sleep(self, seconds: float) -> None:
        """Sleep, but not beyond the deadline.

        Raises:
            DeadlineError: it is reached.
        """
        time.sleep(min(seconds, self.left()))
        self.left()


def passes(error: Exception) -> bool:
    """Return whether a failure is one of those that pass: no answer, or a server in trouble or too busy."""
    cause = error if isinstance(error, StatusError) else error.__cause__
    troubled = isinstance(cause, StatusError) and (cause.code == 429 or cause.code >= 500)
    return troubled or isinstance(error, Unreachable | BrokenStreamError)


class Patience:
    """Bears that the API server is out of reach, for up to `seconds` at a time."""

    def __init__(self, deadline: Deadline, *, seconds: float) -> None:
        self._deadline = deadline
        self._seconds = seconds
        self._lost_since: float | None = None

    def found(self) -> None:
        """Record that it answered."""
        self._lost_since = None

    def lost(self, error: CommandError) -> None:
        """Wait a little before the next try.

        Raises:
            CommandError: it was lost for too long; that is `error`.
            DeadlineError: the time is over.
        """
        now = time.monotonic()
        self._lost_since = now if self._lost_since is None else self._lost_since
        if now - self._lost_since > self._seconds:
            raise error
        self._deadline.sleep(_PAUSE_SECONDS)
