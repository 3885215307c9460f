"""The circles of dependencies that there are, kept as jobs come and go. Part of `store.dependents`.

Jobs that are on circles with each other share one record and are told of one circle among them, so that circles of any length and
number cost no more than their jobs.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from podwright.core.job.gates.cycle import cycle_through, entangled_with

Name = tuple[str, str]  # namespace and name
Neighbours = Callable[[Name], Iterable[Name]]

_MOST_SEARCHES: Final = 100
"""Searches after one change. Beyond, jobs on further circles are told as waiting only, until one of them changes."""


class Circles:
    """Made with the two directions of who waits for whom, among jobs that have not begun."""

    def __init__(self, *, successors: Neighbours, predecessors: Neighbours) -> None:
        self._successors = successors
        self._predecessors = predecessors
        self._tangles: dict[Name, set[Name]] = {}  # a job → all jobs that it waits for and that wait for it
        self._paths: dict[Name, tuple[Name, ...]] = {}  # a job → the circle it is told, from a member to itself

    def told_of(self, job: Name) -> tuple[str, ...]:
        """Return the names on a circle, from and to the job if it is on that one itself; () if it is on none."""
        path = self._paths.get(job, ())
        if job in path:
            place = path.index(job)
            path = (*path[place:-1], *path[:place], job)
        return tuple(name for _, name in path)

    def join(self, job: Name) -> set[Name]:
        """Take in a job that has come; give those of whom something else is to be told."""
        return self._search(job, without=set())

    def leave(self, job: Name) -> set[Name]:
        """Record that a job waits no longer or is gone; give those of whom something else is to be told."""
        tangle = self._tangles.get(job)
        if tangle is None:
            return set()
        path = self._paths.get(job, ())
        for name in tangle:
            self._tangles.pop(name, None)
            self._paths.pop(name, None)
        others = tangle - {job}
        self._search_again(_from_the_end(path, others=others, gap=job))
        return others

    def __len__(self) -> int:
        """Return how many jobs are on circles."""
        return len(self._tangles)

    def _search(self, job: Name, *, without: set[Name]) -> set[Name]:
        path = cycle_through(job, successors=self._successors, without=without)
        if not path:
            return set()
        tangle = entangled_with(job, successors=self._successors, predecessors=self._predecessors)
        news = {name for name in tangle if name not in self._paths}
        for name in tangle:
            self._tangles[name] = tangle
            self._paths.setdefault(name, path)  # a circle that was there still is
        return news

    def _search_again(self, names: Iterable[Name]) -> None:
        clear: set[Name] = set()
        searches = 0
        for name in names:
            if name in self._tangles or searches > _MOST_SEARCHES:
                continue
            if all(successor in clear for successor in self._successors(name)):
                clear.add(name)
                continue
            searches += 1
            if not self._search(name, without=clear):
                clear.add(name)


def _from_the_end(path: tuple[Name, ...], *, others: set[Name], gap: Name) -> Iterator[Name]:
    """Return the others, those first that depended on the one that left: then each finds at once that it leads nowhere."""
    ring = path[:-1]
    place = ring.index(gap) if gap in ring else 0
    on_it = set(ring)
    yield from (name for name in reversed((*ring[place:], *ring[:place])) if name in others)
    yield from (name for name in others if name not in on_it)
