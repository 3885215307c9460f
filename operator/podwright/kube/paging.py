"""How many objects to ask for at once, so that neither a list nor its decoding takes much memory or time. Pure.

Used by whatever lists objects of tenants. The page before tells about how large objects are, but nothing of those that come next,
which a tenant may have made a thousand times larger. So an answer beyond `MOST_BYTES` is given up half way, and asked for again
with fewer objects. A page of one object is always read: nothing smaller can be asked for.
"""

from typing import Final

PAGE_SIZE: Final = 500
FIRST_PAGE: Final = 50
"""Objects on the first page ever, of which nobody knows yet how large they are."""
PAGE_BYTES: Final = 4 << 20
"""About how large a page should be: what is decoded at once holds the loop, and memory."""
MOST_BYTES: Final = 4 * PAGE_BYTES
"""How much of a page of several objects is read before it is given up."""
_MOST_GROWTH: Final = 2


class PageLimit:
    """The `limit` of the next page of one collection. Keep it from list to list: what was learnt holds on."""

    def __init__(self, *, most: int = PAGE_SIZE) -> None:
        self.objects = min(most, FIRST_PAGE)
        self._most = most

    @property
    def most_bytes(self) -> int | None:
        """Return how large the next page may be; None for a page of a single object, of whatever size."""
        return MOST_BYTES if self.objects > 1 else None

    def received(self, size: int) -> None:
        """Record that the page had so many bytes, or at least so many where it was given up."""
        self.objects = next_limit(self.objects, received=size, most=self._most)


def next_limit(limit: int, *, received: int, most: int) -> int:
    """Return how many objects to ask for after a page of `limit` that had so many bytes, so that pages are about equally large.

    It grows by steps: a small object says little of those behind it, and each page that is given up costs the API server.
    """
    fitting = limit * PAGE_BYTES // max(received, 1)
    return max(1, min(most, limit * _MOST_GROWTH, fitting))
