"""Whose read goes next: reads of single objects, a bounded number at once, shared fairly over namespaces.

Used by `confirmation` and by the reads of idempotency keys. After a change of leaders, or with many keys, one namespace may have
thousands of them; the single read of another must not wait for those. Nothing is read here.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Final

AT_ONCE: Final = 32
FOR_ONE: Final = 24
"""Of them for one namespace, even while no other has any: who comes next finds a place, however slow the others' reads are."""

Read = Callable[[], Coroutine[None, None, None]]


class ReadPlaces:
    """Runs reads in the background; they must not raise."""

    def __init__(self, *, at_once: int = AT_ONCE, for_one: int = FOR_ONE) -> None:
        self._free = at_once
        self._for_one = for_one
        self._waiting: OrderedDict[str, deque[Read]] = (
            OrderedDict()
        )  # by namespace, the one that was served longest ago first
        self._under_way: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, read: Read, *, namespace: str) -> None:
        """Run a read once there is a place for it."""
        self._waiting.setdefault(namespace, deque()).append(read)
        self._fill()

    def _fill(self) -> None:
        while self._free and (namespace := self._next()) is not None:
            reads = self._waiting[namespace]
            read = reads.popleft()
            if reads:
                self._waiting.move_to_end(namespace)
            else:
                del self._waiting[namespace]
            self._free -= 1
            self._under_way[namespace] = self._under_way.get(namespace, 0) + 1
            task = asyncio.create_task(read())
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, namespace))

    def _next(self) -> str | None:
        """Return the namespace that has the fewest reads under way of those that wait, None if each has as many as it may."""
        chosen, fewest = None, self._for_one
        for namespace in self._waiting:  # soon over: no more can have a read under way than there are places
            count = self._under_way.get(namespace, 0)
            if count < fewest:
                chosen, fewest = namespace, count
                if not count:
                    break
        return chosen

    def _ended(self, namespace: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return  # the loop is being closed: nothing more is to be begun
        self._free += 1
        self._under_way[namespace] -= 1
        if not self._under_way[namespace]:
            del self._under_way[namespace]
        self._fill()
