"""When which object is to be requeued without an event. Timers are data: one heap, no task or callback per object."""

import heapq
import itertools
from typing import Generic, TypeVar

K = TypeVar("K")


class Timers(Generic[K]):
    """At most one wake-up time per key. Replaced times stay in the heap until they surface, and are then ignored."""

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = itertools.count()

    def set(self, key: K, when: float | None) -> None:
        """Set the key's time, or clear it with None."""
        if when is None:
            self._due.pop(key, None)
        elif self._due.get(key) != when:
            self._due[key] = when
            heapq.heappush(self._heap, (when, next(self._order), key))
        if len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [(due, next(self._order), key) for key, due in self._due.items()]
            heapq.heapify(self._heap)

    def bring_forward(self, key: K, when: float) -> None:
        """Set the key's time unless an earlier one is set."""
        if when < self._due.get(key, float("inf")):
            self.set(key, when)

    def pop_due(self, now: float, *, most: int) -> list[K]:
        """Remove and return keys whose time has come, those that were due first, and no more than so many."""
        due: list[K] = []
        while len(due) < most and self._heap and self._heap[0][0] <= now:
            when, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == when:
                del self._due[key]
                due.append(key)
        return due

    def next_at(self) -> float | None:
        """Return the next time at which a key is due, or None."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def __len__(self) -> int:
        """Return how many keys have a time set."""
        return len(self._due)
