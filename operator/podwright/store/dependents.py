"""Who waits for whom: jobs by name, the jobs that depend on a name, and cycles among them. Part of `store.jobs`.

Each event costs what it touches: the jobs that depend on the one that changed; many are marked later, in pieces. A cycle can only be
closed by a job that appears, both depends on jobs and is depended on, since who depends on whom never changes.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final

from podwright.core.job.gates.cycle import Cycle, cycle_from
from podwright.core.job.gates.dependency import NO_DEPENDENCIES, Dependencies
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.store.cycles import Clock, Cycles

_AT_ONCE: Final = 1_000
"""Jobs that are marked by one event, or in one piece; more take their turns."""


class Dependents:
    """Kept by `JobStore`, whose `jobs` and `pods` it reads. `on_change` is told who must be looked at again."""

    def __init__(
        self,
        *,
        jobs: Mapping[str, JobView],
        pods: Mapping[str, Mapping[str, PodView]],
        on_change: Callable[[str], None],
    ) -> None:
        self._jobs = jobs
        self._pods = pods
        self._on_change = on_change
        self._uids: dict[str, dict[str, str]] = {}  # namespace → name → uid
        self._waiting: dict[str, dict[str, set[str]]] = {}  # namespace → name of a dependency → uids of those that wait
        self._to_mark: deque[Iterator[str]] = deque()
        self._cycles = Cycles(successors=self._successors, on_change=on_change)

    def of(self, job: JobView) -> Dependencies:
        """Return what is known of the jobs that a job depends on."""
        if not job.dependencies:
            return NO_DEPENDENCIES
        found = {}
        started = set()
        for wanted in job.dependencies:
            other = self._named(job.namespace, wanted.name)
            if other is not None:
                found[other.name] = other
                if any(pod.started is not None for pod in self._pods.get(other.uid, {}).values()):
                    started.add(other.name)
        return Dependencies(jobs=found, started=frozenset(started), cycle=self._cycle_of(job))

    def is_awaited(self, job: JobView) -> bool:
        """Return whether a job that has not started depends on this one."""
        return self._uid(job.namespace, job.name) == job.uid and bool(self._dependents(job.namespace, job.name))

    def put(self, before: JobView | None, job: JobView) -> None:
        """Record a job that appeared or changed; the store has it already."""
        if before is None:
            self._take_name(job)
        if before is None or not _waits_for_the_same(before, job):
            self._register(before, job)
        if job.dependencies and not self._blocked(job):
            self._cycles.left(job.uid)
        if job.namespace in self._waiting and (before is None or _standing(before) != _standing(job)):
            self._mark_dependents(job)
        if before is None and self._blocked(job) and self._dependents(job.namespace, job.name):
            self._cycles.joined(job.uid)

    def remove(self, job: JobView) -> None:
        """Record that a job is gone; the store has forgotten it already."""
        if _waits(job):
            self._unregister(job, still=False)
        named = self._uids.get(job.namespace, {})
        if named.get(job.name) == job.uid:
            del named[job.name]
            if not named:
                self._uids.pop(job.namespace, None)
        if job.dependencies:
            self._cycles.left(job.uid)
        self._mark_dependents(job)

    def pod_started(self, job_uid: str) -> None:
        """Record that a pod of a job was seen to have started."""
        job = self._jobs.get(job_uid)
        if job is not None:
            self._mark_dependents(job)

    def work_off(self, clock: Clock) -> float | None:
        """Do a piece of what events left to be done; return when the next is due by the clock, None if nothing is left."""
        if self._to_mark:
            piece = list(islice(self._to_mark[0], _AT_ONCE))
            for uid in piece:
                self._on_change(uid)
            if len(piece) < _AT_ONCE:
                self._to_mark.popleft()
            return clock()
        return self._cycles.work_off(clock)

    def counts(self) -> tuple[int, int, int]:
        """Return how many names, dependencies that are waited for, and jobs on cycles are kept."""
        return (
            sum(len(named) for named in self._uids.values()),
            sum(len(waiting) for waiting in self._waiting.values()),
            len(self._cycles),
        )

    def _take_name(self, job: JobView) -> None:
        """Leave the name to the newest of all that bear it: a namesake's deletion may be seen late."""
        present = self._named(job.namespace, job.name)
        if present is None or present.resource_version < job.resource_version:
            if present is not None:
                self._cycles.left(present.uid)
            self._uids.setdefault(job.namespace, {})[job.name] = job.uid

    def _register(self, before: JobView | None, job: JobView) -> None:
        if before is not None and _waits(before):
            self._unregister(before, still=_waits(job))
        if _waits(job):
            for wanted in job.dependencies:
                self._waiting.setdefault(job.namespace, {}).setdefault(wanted.name, set()).add(job.uid)

    def _unregister(self, job: JobView, *, still: bool) -> None:
        named = self._waiting.get(job.namespace, {})
        for wanted in job.dependencies:
            waiting = named.get(wanted.name)
            if waiting is None:
                continue
            waiting.discard(job.uid)
            if not waiting:
                del named[wanted.name]
            other = self._named(job.namespace, wanted.name)
            if not still and other is not None and not _waits(other):
                self._on_change(other.uid)  # its deletion may have waited for this
        if not named:
            self._waiting.pop(job.namespace, None)

    def _mark_dependents(self, job: JobView) -> None:
        dependents = tuple(self._dependents(job.namespace, job.name))
        if len(dependents) > _AT_ONCE:
            self._to_mark.append(iter(dependents))
            return
        for uid in dependents:
            self._on_change(uid)

    def _cycle_of(self, job: JobView) -> Cycle | None:
        component = self._cycles.of(job.uid)
        if component is None:
            return None
        return cycle_from(
            component.path, start=component.places.get(job.uid, 0), name_of=lambda uid: self._jobs[uid].name
        )

    def _successors(self, of: str) -> Iterator[str]:
        """Return those of the jobs that a waiting job depends on that wait themselves."""
        job = self._jobs.get(of)
        if job is None or not self._blocked(job):
            return
        uids = self._uids.get(job.namespace, _NO_NAMES)
        for wanted in job.dependencies:
            other = self._jobs.get(uids.get(wanted.name, ""))
            if other is not None and self._blocked(other):
                yield other.uid

    def _blocked(self, job: JobView) -> bool:
        """Return whether the job has not started, and won't before those that it depends on."""
        return _waits(job) and not job.status.has_begun and not self._pods.get(job.uid)

    def _named(self, namespace: str, name: str) -> JobView | None:
        return self._jobs.get(self._uid(namespace, name))

    def _uid(self, namespace: str, name: str) -> str:
        return self._uids.get(namespace, {}).get(name, "")

    def _dependents(self, namespace: str, name: str) -> set[str]:
        return self._waiting.get(namespace, {}).get(name, _NOBODY)


_NOBODY: Final[set[str]] = set()
_NO_NAMES: Final[dict[str, str]] = {}


def _waits_for_the_same(before: JobView, job: JobView) -> bool:
    return _waits(before) == _waits(job) and before.dependencies == job.dependencies


def _waits(job: JobView) -> bool:
    """Return whether news of the jobs that this one depends on still matter to it."""
    if not job.dependencies or job.deleting or job.status.is_over:
        return False
    # Tasks that wait for single tasks do so until the end.
    return not job.status.has_begun or any(wanted.task_by_task for wanted in job.dependencies)


def _standing(job: JobView) -> tuple[object, ...]:
    """Return all of a job that a dependency's condition can hang on."""
    status = job.status
    started = any(attempt.started is not None or attempt.outcome is not None for attempt in status.attempts)
    return (job.uid, status.phase, started, status.array)
