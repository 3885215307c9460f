"""Log lines about causes that may recur without end: each at most once in a while, with how often it was left out."""

import logging
import time
from collections import OrderedDict
from typing import Final

_EVERY: Final = 600.0
_CAUSES_KEPT: Final = 1000


class BoundedLog:
    """Logs through `logger`. A cause is what the caller says is the same trouble, such as an object and a reason."""

    def __init__(self, logger: logging.Logger, *, every: float = _EVERY) -> None:
        self._logger = logger
        self._every = every
        self._causes: OrderedDict[object, tuple[float, int]] = OrderedDict()

    def log(self, level: int, cause: object, message: str, *arguments: object) -> None:
        """Log the message, unless its cause was logged a short while ago."""
        now = time.monotonic()
        at, left_out = self._causes.get(cause, (float("-inf"), 0))
        if now - at < self._every:
            self._causes[cause] = (at, left_out + 1)
            return
        self._causes[cause] = (now, 0)
        self._causes.move_to_end(cause)
        if len(self._causes) > _CAUSES_KEPT:
            self._causes.popitem(last=False)
        if left_out:
            message = f"{message} (and {left_out} times more since the last such line)"
        self._logger.log(level, message, *arguments)
