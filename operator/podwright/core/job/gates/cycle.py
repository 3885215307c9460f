"""Cycles of dependencies, which nobody can forbid beforehand since each job is submitted alone.

The searches are iterative, since names come from users and chains of jobs may have any length, and can be paused: as generators they
yield None after every few steps, so that whoever runs them decides when to go on. The graph may change in between; what that means
for the result is for the caller to judge (`store.cycles`).
"""

from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec

STEPS: Final = 256
"""Edges that are followed between two pauses."""
_SHOWN: Final = 9

Job = TypeVar("Job", bound=Hashable)


class Cycle(msgspec.Struct, frozen=True, gc=False):
    """A cycle as one job is told of it.

    Attributes:
        names: the first jobs on it, each of which waits for the next: all, or as many as are shown.
        length: how many jobs are on it.
    """

    names: tuple[str, ...]
    length: int


def cycle_from(path: Sequence[Job], *, start: int, name_of: Callable[[Job], str]) -> Cycle:
    """Return a cycle as told to the job at that place of its path; the last job of the path waits for the first."""
    shown = range(start, start + min(_SHOWN, len(path)))
    return Cycle(names=tuple(name_of(path[place % len(path)]) for place in shown), length=len(path))


def in_words(cycle: Cycle) -> str:
    """Return a cycle as `a → b → a`, cut before its end if it is long."""
    hidden = cycle.length - len(cycle.names)
    more = (f"({hidden} more)",) if hidden else ()
    return " → ".join((*cycle.names, *more, cycle.names[0]))


def components_on_cycles(
    roots: Iterable[Job], *, successors: Callable[[Job], Iterable[Job]]
) -> Iterator[list[Job] | None]:
    """Return the strongly connected components that contain a cycle, of all that can be reached from the roots.

    Tarjan's algorithm (1972): each job and each edge is visited once. Yields None now and then, to be paused at.

    Args:
        roots: jobs, by whatever identifies them.
        successors: returns the waiting jobs that a waiting job depends on. It is called once per job.
    """
    lowest: dict[Job, int] = {}  # by job that was visited: the earliest on the stack it can reach, or `done`
    done = 1 << 62
    stack: list[Job] = []
    on_itself: set[Job] = set()
    steps = 0
    for root in roots:
        if root in lowest:
            continue
        frames = [(root, len(lowest), iter(successors(root)))]
        lowest[root] = len(lowest)
        stack.append(root)
        while frames:
            job, index, remaining = frames[-1]
            for successor in remaining:
                steps += 1
                if successor not in lowest:
                    frames.append((successor, len(lowest), iter(successors(successor))))
                    lowest[successor] = len(lowest)
                    stack.append(successor)
                    break
                if successor == job:
                    on_itself.add(job)
                elif lowest[successor] < lowest[job]:
                    lowest[job] = lowest[successor]
            else:
                frames.pop()
                if frames and lowest[job] < lowest[frames[-1][0]]:
                    lowest[frames[-1][0]] = lowest[job]
                if lowest[job] == index:
                    component: list[Job] = []
                    while not component or component[-1] != job:
                        component.append(stack.pop())
                        lowest[component[-1]] = done
                        steps += 1
                        if steps >= STEPS:
                            steps = 0
                            yield None
                    if len(component) > 1 or job in on_itself:
                        yield component
            steps += 1
            if steps >= STEPS:
                steps = 0
                yield None


def cycle_within(
    members: set[Job], *, start: Job, successors: Callable[[Job], Iterable[Job]]
) -> Generator[None, None, list[Job]]:
    """Return a shortest cycle through `start` among these jobs, as the jobs on it; [] if there is none (any more).

    Yields None now and then, to be paused at.
    """
    came_from: dict[Job, Job] = {}
    queue = deque([start])
    steps = 0
    while queue:
        job = queue.popleft()
        for successor in successors(job):
            steps += 1
            if successor == start:
                return _path(start, job, came_from)
            if successor in members and successor not in came_from:
                came_from[successor] = job
                queue.append(successor)
        steps += 1
        if steps >= STEPS:
            steps = 0
            yield None
    return []


def _path(start: Job, last: Job, came_from: dict[Job, Job]) -> list[Job]:
    path = [last]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    path.reverse()
    return path
