"""Circles of dependencies, which nobody can forbid beforehand since each job is submitted alone.

Only jobs that still wait for their dependencies can close one. All searches are iterative and bounded: names come from users.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

MOST_VISITS: Final = 100_000
"""Jobs that one search looks at; a circle that lies farther away is not found, and its jobs wait as for any other."""

Successors = Callable[[str], Iterable[str]]


def cycle_through(
    start: str, *, successors: Successors, without: frozenset[str] | set[str] = frozenset()
) -> tuple[str, ...]:
    """Give a shortest circle through `start`, written from `start` to `start`, or () if there is none.

    Args:
        start: a job's name.
        successors: gives the names of the waiting jobs that a waiting job depends on.
        without: names that are known to be on no circle and to lead to none.
    """
    came_from: dict[str, str] = {}
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


def _path(start: str, last: str, came_from: dict[str, str]) -> tuple[str, ...]:
    path = [start]
    name = last
    while name != start:
        path.append(name)
        name = came_from[name]
    return (start, *reversed(path))
