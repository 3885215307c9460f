"""Which objects are known to be deleted, for long enough that no late answer or old list can bring them back."""

from collections import OrderedDict
from typing import Final

CAPACITY: Final = 200_000


class Tombstones:
    """A set of uids that forgets its oldest members beyond a capacity. Uids are never reused (Kubernetes API)."""

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._uids: OrderedDict[str, None] = OrderedDict()

    def add(self, uid: str) -> None:
        """Remember a deleted object."""
        self._uids[uid] = None
        if len(self._uids) > self._capacity:
            self._uids.popitem(last=False)

    def discard(self, uid: str) -> None:
        """Forget that an object is deleted, if it is known as such: it was only dropped."""
        self._uids.pop(uid, None)

    def __contains__(self, uid: str) -> bool:
        """Return whether the object is known to be deleted."""
        return uid in self._uids

    def __len__(self) -> int:
        """Return the number of deletions that are remembered."""
        return len(self._uids)
