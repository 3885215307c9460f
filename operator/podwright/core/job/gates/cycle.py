"""Circles of dependencies, which nobody can forbid beforehand since each job is submitted alone.

Only jobs that still wait for their dependencies can close one. All searches are iterative and bounded: names come from users.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Final, TypeVar

MOST_VISITS: Final = 100_000
"""Jobs that one search looks at; a circle that lies farther away is not found, and its jobs wait as for any other."""

Job = TypeVar("Job", bound=Hashable)


def cycle_through(
    start: Job, *, successors: Callable[[Job], Iterable[Job]], without: frozenset[Job] | set[Job] = frozenset()
) -> tuple[Job, ...]:
    """Return a shortest circle through `start`, written from `start` to `start`, or () if there is none.

    Args:
        start: a job, by whatever names it.
        successors: gives the waiting jobs that a waiting job depends on.
        without: jobs that are known to be on no circle.
    """
    came_from: dict[Job, Job] = {}
    queue = deque([start])
    while queue and len(came_from) < MOST_VISITS:
        name = queue.popleft()
        for successor in successors(name):
            if successor == start:
                return _path(start, name, came_from)
            if successor not in came_from and successor not in without:
                came_from[successor] = name
                queue.append(successor)
    return ()


def entangled_with(
    start: Job, *, successors: Callable[[Job], Iterable[Job]], predecessors: Callable[[Job], Iterable[Job]]
) -> set[Job]:
    """Return the jobs that are on any circle together with `start`, itself included: each waits for all the others."""
    after: set[Job] = _reachable(start, successors)
    before: set[Job] = _reachable(start, predecessors) if after else set()
    return {start} | (after & before)


def _reachable(start: Job, successors: Callable[[Job], Iterable[Job]]) -> set[Job]:
    found: set[Job] = set()
    queue = deque([start])
    while queue and len(found) < MOST_VISITS:
        for name in successors(queue.popleft()):
            if name not in found:
                found.add(name)
                queue.append(name)
    return found


def _path(start: Job, last: Job, came_from: dict[Job, Job]) -> tuple[Job, ...]:
    path = [start]
    name = last
    while name != start:
        path.append(name)
        name = came_from[name]
    return (start, *reversed(path))
