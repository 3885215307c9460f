"""Which objects must be reconciled: each at most once, in the order in which they first asked."""

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")


class WorkQueue(Generic[K]):
    """A first-in-first-out set. Any number of events of one object before it is reconciled cost one reconcile."""

    def __init__(self) -> None:
        self._keys: OrderedDict[K, None] = OrderedDict()

    def add(self, key: K) -> None:
        """Ask for the object to be reconciled; a repeated request keeps its place."""
        self._keys.setdefault(key, None)

    def pop(self) -> K:
        """Remove and return the object that has waited longest; the queue must not be empty."""
        return self._keys.popitem(last=False)[0]

    def __len__(self) -> int:
        """Return how many objects wait."""
        return len(self._keys)
