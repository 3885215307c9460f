"""Which jobs must be looked at again: each at most once, in the order in which they first asked."""

from collections import OrderedDict


class DirtySet:
    """A first-in-first-out set. Any number of events of one object before it is looked at cost one look."""

    def __init__(self) -> None:
        self._keys: OrderedDict[str, None] = OrderedDict()

    def add(self, key: str) -> None:
        """Ask for a look at the object; a repeated request keeps its place."""
        self._keys.setdefault(key, None)

    def pop(self) -> str:
        """Take the object that has waited longest; the set must not be empty."""
        return self._keys.popitem(last=False)[0]

    def __len__(self) -> int:
        """Return how many objects wait."""
        return len(self._keys)
