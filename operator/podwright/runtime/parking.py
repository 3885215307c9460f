"""Writes that hang at a tenant's webhook: after a second they no longer take one of the places that all namespaces share.

The API server has nothing to do while it waits for a webhook, so such a request doesn't count as load; but the number of them is bounded,
and a namespace that has one gets no further pod in until it is answered. The next of a namespace whose last one hung is parked from the
start. Without this a few namespaces whose webhooks don't answer would hold all places. Used by the writer only.
"""

from typing import Final

from podwright.runtime.lanes import Permit

HANGING: Final = 1.0
"""Seconds; webhooks that work answer in milliseconds."""
MOST: Final = 64


class Parking:
    """Of the writes under way, those that admission has a say in: how long they have been, and which are parked."""

    def __init__(self) -> None:
        self._moving: dict[
            int, tuple[float, str]
        ] = {}  # by the id of the permit, oldest first: since when, and its namespace
        self._parked: set[int] = set()

    def __len__(self) -> int:
        """Return how many are parked."""
        return len(self._parked)

    def begin(self, permit: Permit, *, now: float, hangs: bool) -> bool:
        """Record that a write is sent; return whether it is parked at once, as one that will probably hang.

        Times are monotonic seconds.
        """
        if not permit.admitted:
            return False
        if hangs and len(self._parked) < MOST:
            self._parked.add(id(permit))
            return True
        self._moving[id(permit)] = (now, permit.namespace)
        return False

    def end(self, permit: Permit) -> bool:
        """Record that it was answered; return whether it was parked."""
        if id(permit) in self._parked:
            self._parked.remove(id(permit))
            return True
        self._moving.pop(id(permit), None)
        return False

    def park(self, *, now: float) -> str:
        """Park the write that has hung longest; return its namespace, "" if none may be parked now."""
        if not self._moving or len(self._parked) >= MOST:
            return ""
        permit, (since, namespace) = next(iter(self._moving.items()))
        if now < since + HANGING:
            return ""
        del self._moving[permit]
        self._parked.add(permit)
        return namespace

    def next_at(self) -> float | None:
        """Return when the next may be parked."""
        if not self._moving or len(self._parked) >= MOST:
            return None
        return next(iter(self._moving.values()))[0] + HANGING
