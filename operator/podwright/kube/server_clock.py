"""The time that decisions are made by: this machine's, held back to the API server's where this machine's is far ahead.

What is deleted or taken over once a time has passed does not come back: a clock that jumps forward must not let it pass. The API
server tells its time with each answer (`Date`, RFC 9110 section 6.6.1), to the second. Fed by `client`, read by the operator's parts.
"""

import logging
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

MARGIN: Final = 30.0
"""Seconds by which clocks of a healthy cluster may differ; so much is left as it is."""
_BETWEEN: Final = 1.0  # seconds between two readings of the header, whose parsing costs time
_WINDOW: Final = 60.0  # seconds for which the latest of all readings counts, twice at most

_log = logging.getLogger(__name__)


class ServerClock:
    """One per client. `clock` gives Unix seconds and may jump, `monotonic` does not."""

    def __init__(
        self, *, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._next = -_WINDOW
        self._began = 0.0
        # Server's time minus monotonic time: an answer's delay makes it too small, so that the largest is the best. A window ends
        # since a server whose clock was ahead may have been set right.
        self._offset: float | None = None
        self._before: float | None = None
        self._warned = False

    @property
    def is_due(self) -> bool:
        """Return whether the next answer's date is wanted."""
        return self._monotonic() >= self._next

    def observe(self, date: str | None) -> None:
        """Record the `Date` of an answer that has just come in; one that can't be read says nothing."""
        try:
            told = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, TypeError, OverflowError):
            return
        now = self._monotonic()
        self._next = now + _BETWEEN
        offset = told - now
        if self._offset is None or now >= self._began + _WINDOW:
            self._began, self._before, self._offset = now, self._offset, offset
        else:
            self._offset = max(self._offset, offset)
        self._warn()

    @property
    def ahead(self) -> float:
        """Return by how many seconds this machine's clock is ahead of the API server's; 0 if that is not known."""
        if self._offset is None:
            return 0.0
        offset = self._offset if self._before is None else max(self._offset, self._before)
        return self._clock() - (self._monotonic() + offset)

    def now(self) -> float:
        """Return the time to decide by, in Unix seconds."""
        here, ahead = self._clock(), self.ahead
        return here if ahead <= MARGIN else here - ahead

    def _warn(self) -> None:
        wrong = self.ahead > MARGIN
        if wrong and not self._warned:
            _log.warning(
                "this machine's clock is %.0f s ahead of the API server's, whose time counts until they agree: check NTP",
                self.ahead,
            )
        self._warned = wrong
