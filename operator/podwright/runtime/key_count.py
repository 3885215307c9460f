"""How many Leases of idempotency keys each namespace has, about: what a namespace may take of etcd is bounded.

Filled by the sweep that walks over all Leases, and by claims in between. It may be short by what was claimed during one walk, which the
next walk finds; after a start it grows with the first walk. That is exact enough for a bound that only protects the cluster.
"""

from collections import Counter

from podwright.core.constants import limits


class KeyCount:
    """Made once per operator."""

    def __init__(self) -> None:
        self._walked: Counter[str] = Counter()
        self._walking: Counter[str] = Counter()
        self._claimed: Counter[str] = Counter()

    def is_full(self, namespace: str) -> bool:
        """Return whether the namespace may have no further key."""
        known = max(self._walked[namespace], self._walking[namespace])
        return known + self._claimed[namespace] >= limits.MOST_KEYS

    def claimed(self, namespace: str) -> None:
        """Count a Lease that was created."""
        self._claimed[namespace] += 1

    def seen(self, namespace: str) -> None:
        """Count a Lease that the walk came to."""
        self._walking[namespace] += 1

    def deleted(self, namespace: str) -> None:
        """Count a Lease off that was deleted on the walk."""
        self._walking[namespace] -= 1
        self._walked[namespace] = max(0, self._walked[namespace] - 1)

    def walk_ended(self) -> None:
        """Record that the walk is over: what it counted is what there is."""
        self._walked, self._walking, self._claimed = +self._walking, Counter(), Counter()
