"""Sets of task indexes, kept as ranges: a million finished tasks with few gaps take no more room than the gaps.

Used wherever tasks of an array are counted or named. The text form is that of the Kubernetes Job's `completedIndexes`:
`0-3,7`, sorted, without overlaps; two indexes are written as a range as well (`0-1`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

import msgspec

Ranges = tuple[tuple[int, int], ...]


class IndexSet(msgspec.Struct, frozen=True, gc=False, repr_omit_defaults=True):
    """An immutable set of indexes from 0. `ranges` are inclusive, sorted, and neither overlap nor touch."""

    ranges: Ranges = ()

    @staticmethod
    def parse(text: str) -> "IndexSet":
        """Read the text form; order, overlaps and repetitions don't matter.

        Raises:
            ValueError: a part is no index or range, or a range ends before it begins.
        """
        ranges = []
        for part in text.split(",") if text else ():
            first, dash, last = part.partition("-")
            if not (first.isascii() and first.isdigit() and (not dash or (last.isascii() and last.isdigit()))):
                raise ValueError(f"{part!r} is no index or range of indexes, such as 7 or 0-3")
            low, high = int(first), int(last) if dash else int(first)
            if high < low:
                raise ValueError(f"range {part!r} ends before it begins")
            ranges.append((low, high))
        return IndexSet(_normal(ranges))

    @staticmethod
    def of(indexes: Iterable[int]) -> "IndexSet":
        """Collect single indexes, in any order."""
        return IndexSet(_normal((index, index) for index in indexes))

    @staticmethod
    def of_ranges(ranges: Iterable[tuple[int, int]]) -> "IndexSet":
        """Collect inclusive ranges, in any order; they may overlap."""
        return IndexSet(_normal(ranges))

    @staticmethod
    def up_to(size: int) -> "IndexSet":
        """Return 0 to `size` - 1."""
        return IndexSet(((0, size - 1),)) if size > 0 else EMPTY

    def __str__(self) -> str:
        """Return the text form."""
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.ranges)

    def __len__(self) -> int:
        """Count the indexes."""
        return sum(high - low + 1 for low, high in self.ranges)

    def __bool__(self) -> bool:
        """Return whether there is any index."""
        return bool(self.ranges)

    def __contains__(self, index: int) -> bool:
        """Return whether an index is in the set."""
        position = bisect_right(self.ranges, (index, _BEYOND)) - 1
        return position >= 0 and self.ranges[position][1] >= index

    def __iter__(self) -> Iterator[int]:
        """Return the indexes in order."""
        for low, high in self.ranges:
            yield from range(low, high + 1)

    def __or__(self, other: "IndexSet") -> "IndexSet":
        """Return the indexes of either."""
        if not other.ranges:
            return self
        return IndexSet(_normal((*self.ranges, *other.ranges))) if self.ranges else other

    def __sub__(self, other: "IndexSet") -> "IndexSet":
        """Return the indexes that the other lacks."""
        if not other.ranges or not self.ranges:
            return self
        kept: list[tuple[int, int]] = []
        for low, high in self.ranges:
            # Mostly few indexes are taken from, and many ranges away: look for the first that matters.
            start, look = low, max(0, bisect_right(other.ranges, (low, _BEYOND)) - 1)
            if other.ranges[look][1] < low:
                look += 1
            while look < len(other.ranges) and other.ranges[look][0] <= high:
                if other.ranges[look][0] > start:
                    kept.append((start, other.ranges[look][0] - 1))
                start = other.ranges[look][1] + 1
                look += 1
            if start <= high:
                kept.append((start, high))
        return IndexSet(tuple(kept))

    def __and__(self, other: "IndexSet") -> "IndexSet":
        """Return the indexes of both."""
        return self - (self - other)


def _normal(ranges: Iterable[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


_BEYOND = 1 << 62
EMPTY = IndexSet()
