"""How long the engine leaves an object alone after a reconcile failed: growing with each failure in a row, jittered."""

import random
from typing import Final, Generic, TypeVar

K = TypeVar("K")

_FIRST: Final = 0.02
_LONGEST: Final = 8.0  # after an outage, nobody waits longer than this for the first try


class Backoff(Generic[K]):
    """Failures in a row, and the time before which not to try again, by key. Times in seconds on one clock."""

    def __init__(self) -> None:
        self._failures: dict[K, tuple[int, float]] = {}

    def failed(self, key: K, *, now: float, at_least: float = 0.0) -> float:
        """Count a failure and give the time of the next try: full jitter over a doubling ceiling."""
        count, blocked = self._failures.get(key, (0, 0.0))
        if now >= blocked:
            count += 1  # many that failed at once are one failure
        ceiling = min(_LONGEST, _FIRST * 2.0 ** min(count, 16))
        until = max(blocked, now + max(at_least, ceiling * (0.5 + 0.5 * random.random())))
        self._failures[key] = (count, until)
        return until

    def forget(self) -> None:
        """Forget all failures: the clock that they were noted by was set back."""
        self._failures.clear()

    def succeeded(self, key: K) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)

    def until(self, key: K) -> float:
        """Return the time before which the key must be left alone; 0 if it may be tried."""
        entry = self._failures.get(key)
        return entry[1] if entry else 0.0

    def __len__(self) -> int:
        """Return how many keys have failed and not succeeded since."""
        return len(self._failures)
