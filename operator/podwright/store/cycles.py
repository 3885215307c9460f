"""Which jobs are on cycles of dependencies, searched for after the fact and in pieces. Part of `store.dependents`.

Events only record what has to be searched: jobs that may have closed a cycle, and strongly connected components that lost a member. The
engine then asks for one piece of the search per turn (`work_off`). One search covers all that has come up until it began, so a burst
costs as much as its graph is large; after it, searches rest for several times as long as it took, so that a graph that grows job by
job costs a bounded part of the time as well.

While a search is paused, jobs leave and others come. Dependencies never change, so what was found on jobs that are all still there
holds; a component of which one has left meanwhile is searched again, and who came is searched next.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain
from typing import Final

from podwright.core.job.gates.cycle import STEPS, components_on_cycles, cycle_within

Clock = Callable[[], float]
"""Monotonic seconds."""

PIECE: Final = 0.005
"""Seconds of one piece of the search."""
QUIET: Final = 0.5
"""Seconds before a search begins; most jobs of a burst have come by then."""
_REST: Final = 4.0
"""Times the cost of a search for which none begins after it."""


class Component:
    """Jobs that all wait for each other. One cycle among them stands for all: `path`, whose last job waits for its first.

    `places` says where on it a job is. `lost` says that a member has left; `broken` that it was on the path.
    """

    __slots__ = ("broken", "lost", "members", "path", "places")

    def __init__(self, members: list[str], path: list[str], places: dict[str, int]) -> None:
        self.members = members
        self.path = path
        self.places = places
        self.lost = False
        self.broken = False


class Cycles:
    """Made with who waits for whom, among jobs that have not begun. Jobs are told apart by their uids, which are never used again.

    `on_change` is called with each job of which something else is now known.
    """

    def __init__(self, *, successors: Callable[[str], Iterable[str]], on_change: Callable[[str], None]) -> None:
        self._successors = successors
        self._on_change = on_change
        self._component_of: dict[str, Component] = {}
        self._unsearched: dict[str, None] = {}
        self._reduced: list[Component] = []  # those that lost members
        self._left: set[str] = set()  # since the search that is under way began
        self._search: Iterator[None] | None = None
        self._due: float | None = None
        self._cost = 0.0

    def of(self, job: str) -> Component | None:
        """Return the component that a job is known to be in, if the cycle that its members are told of still exists."""
        component = self._component_of.get(job)
        return None if component is None or component.broken else component

    def joined(self, job: str) -> None:
        """Record that a job has come that waits for others and is waited for."""
        self._unsearched[job] = None

    def left(self, job: str) -> None:
        """Record that a job is gone or waits no longer."""
        if self._search is not None:
            self._left.add(job)
        self._unsearched.pop(job, None)
        component = self._component_of.pop(job, None)
        if component is not None:
            self._reduce(component, job)

    def work_off(self, clock: Clock) -> float | None:
        """Do one piece of the search if it is time; return when the next is due by the clock, or None if nothing is to be searched."""
        began = clock()
        if self._search is None:
            if not self._unsearched and not self._reduced:
                return None
            if self._due is None:
                self._due = began + QUIET
            if began < self._due:
                return self._due
            self._left.clear()
            self._search, self._cost = self._run(), 0.0
        for _ in self._search:
            elapsed = clock() - began
            if elapsed >= PIECE:
                self._cost += elapsed
                return began
        ended = clock()
        self._cost += ended - began
        self._search = None
        self._left.clear()
        self._due = ended + max(QUIET, _REST * self._cost)
        return self._due if self._unsearched or self._reduced else None

    def __len__(self) -> int:
        """Return how many jobs are known to be on cycles, or are still to be searched."""
        return len(self._component_of) + len(self._unsearched) + len(self._reduced) + len(self._left)

    def _reduce(self, component: Component, job: str) -> None:
        if not component.lost:
            component.lost = True
            self._reduced.append(component)
        if job in component.places:
            component.broken = True

    def _run(self) -> Iterator[None]:
        """Search once through all that has come up."""
        joined, self._unsearched = self._unsearched, {}
        reduced, self._reduced = self._reduced, []
        roots = chain(joined, chain.from_iterable(component.members for component in reduced))
        complete = True
        for found in components_on_cycles(roots, successors=self._successors):
            if found is not None and not (yield from self._record(found)):
                complete = False
                self._unsearched.update(dict.fromkeys(job for job in found if job not in self._left))
            yield
        if not complete:
            self._reduced += (
                reduced  # their members go on being told what they were until it is known what to tell instead
            )
            return
        for component in reduced:
            for number, job in enumerate(component.members):
                if self._component_of.get(job) is component:
                    del self._component_of[job]
                    self._on_change(job)
                if number % STEPS == 0:
                    yield

    def _record(self, found: list[str]) -> Generator[None, None, bool]:
        """Record a component that was found; False if it lost a member while it was searched for, so that nothing is known."""
        if not self._left.isdisjoint(found):
            return False
        members: set[str] = set()
        before: set[Component | None] = set()
        for number, job in enumerate(found):
            members.add(job)
            before.add(self._component_of.get(job))
            if number % STEPS == 0:
                yield
        if any(each and not each.lost and len(each.members) == len(found) for each in before):
            return True
        known = next((each for each in before if each and not each.broken and each.path[0] in members), None)
        if known is None:
            path = yield from cycle_within(members, start=found[0], successors=self._successors)
            places: dict[str, int] = {}
            for number, job in enumerate(path):
                places[job] = number
                if number % STEPS == 0:
                    yield
        else:
            path, places = known.path, known.places
        if not path:
            return False
        component = Component(found, path, places)
        for number, job in enumerate(found):
            if job in self._left:
                self._reduce(component, job)
                continue
            old = self._component_of.get(job)
            self._component_of[job] = component
            if old is None or old.path is not path:
                self._on_change(job)
            if number % STEPS == 0:
                yield
        return True
