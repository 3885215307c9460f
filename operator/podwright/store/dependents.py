"""Who waits for whom: jobs by name, the jobs that depend on a name, and circles among them. Part of `store.jobs`.

Each event costs what it touches: the jobs that depend on the one that changed. A circle is only looked for when a job appears that
both depends on jobs and is depended on, since no other event can close one: who depends on whom never changes.
"""

from collections.abc import Callable, Iterator, Mapping

from podwright.core.job.cycle import cycle_through
from podwright.core.job.dependency import NO_DEPENDENCIES, Dependencies
from podwright.core.view import ArrayRecord, JobView, PodView


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
        self._cycles: dict[str, list[tuple[str, ...]]] = {}  # uid → circles through it, each shared by its members

    def of(self, job: JobView) -> Dependencies:
        """Give what is known of the jobs that a job depends on."""
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
        return Dependencies(jobs=found, started=frozenset(started), cycle=self._cycle_from(job))

    def awaited(self, job: JobView) -> bool:
        """Tell whether a job that has not started depends on this one."""
        return self._uid(job.namespace, job.name) == job.uid and bool(self._dependents(job.namespace, job.name))

    def put(self, before: JobView | None, job: JobView) -> None:
        """Take note of a job that appeared or changed; the store has it already."""
        if before is None:
            self._take_name(job)
        if before is not None and _waits(before):
            self._unregister(before, still=_waits(job))
        if _waits(job):
            for wanted in job.dependencies:
                self._waiting.setdefault(job.namespace, {}).setdefault(wanted.name, set()).add(job.uid)
        if job.uid in self._cycles and not self._blocked(job):
            self._break_cycles(job)
        if before is None or _standing(before) != _standing(job):
            self._tell_dependents(job)
        if before is None and _waits(job):
            self._find_cycle(job)

    def remove(self, job: JobView) -> None:
        """Take note that a job is gone; the store has forgotten it already."""
        if _waits(job):
            self._unregister(job, still=False)
        named = self._uids.get(job.namespace, {})
        if named.get(job.name) == job.uid:
            del named[job.name]
            if not named:
                self._uids.pop(job.namespace, None)
        if job.uid in self._cycles:
            self._break_cycles(job)
        self._tell_dependents(job)

    def pod_started(self, job_uid: str) -> None:
        """Take note that a pod of a job was seen to have started."""
        job = self._jobs.get(job_uid)
        if job is not None:
            self._tell_dependents(job)

    def counts(self) -> tuple[int, int, int]:
        """Give how many names, dependencies that are waited for, and jobs in circles are kept."""
        return (
            sum(len(named) for named in self._uids.values()),
            sum(len(waiting) for waiting in self._waiting.values()),
            len(self._cycles),
        )

    def _take_name(self, job: JobView) -> None:
        """Give the name to the newest of all that bear it: a namesake's deletion may be seen late."""
        present = self._named(job.namespace, job.name)
        if present is None or present.resource_version < job.resource_version:
            self._uids.setdefault(job.namespace, {})[job.name] = job.uid

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

    def _tell_dependents(self, job: JobView) -> None:
        for uid in tuple(self._dependents(job.namespace, job.name)):
            self._on_change(uid)

    def _find_cycle(self, job: JobView) -> None:
        if self._dependents(job.namespace, job.name):
            self._take_cycle(job.namespace, cycle_through(job.name, successors=self._successors_in(job.namespace)))

    def _take_cycle(self, namespace: str, cycle: tuple[str, ...]) -> None:
        """Note a circle with each of its members; told from one of them, twice."""
        for name in cycle[:-1]:
            uid = self._uid(namespace, name)
            self._cycles.setdefault(uid, []).append(cycle)
            self._on_change(uid)

    def _break_cycles(self, job: JobView) -> None:
        """Forget the circles that a job has left, and look whether the others are on further ones."""
        freed: dict[str, str] = {}
        for cycle in self._cycles.pop(job.uid):
            place = cycle.index(job.name)
            for name in (*cycle[place + 1 : -1], *cycle[:place]):
                uid = self._uid(job.namespace, name)
                circles = self._cycles.get(uid, [])
                if cycle in circles:
                    circles.remove(cycle)
                if not circles and self._cycles.pop(uid, None) is not None:
                    freed[name] = uid
                    self._on_change(uid)
        self._look_for_more(job.namespace, freed)

    def _look_for_more(self, namespace: str, freed: dict[str, str]) -> None:
        successors = self._successors_in(namespace)
        clear: set[str] = set()
        # From the end of what is now a chain: each job then finds that what it depends on leads nowhere.
        for name in reversed(freed):
            if freed[name] in self._cycles:
                continue
            if all(successor in clear for successor in successors(name)):
                clear.add(name)
            else:
                self._take_cycle(namespace, cycle_through(name, successors=successors, without=clear))

    def _cycle_from(self, job: JobView) -> tuple[str, ...]:
        circles = self._cycles.get(job.uid)
        if not circles:
            return ()
        place = circles[0].index(job.name)
        return (*circles[0][place:-1], *circles[0][:place], job.name)

    def _successors_in(self, namespace: str) -> Callable[[str], Iterator[str]]:
        return lambda name: self._successors(namespace, name)

    def _successors(self, namespace: str, name: str) -> Iterator[str]:
        """Give the names of those jobs that a waiting job depends on and that wait themselves."""
        job = self._named(namespace, name)
        if job is None or not self._blocked(job):
            return
        for wanted in job.dependencies:
            other = self._named(namespace, wanted.name)
            if other is not None and self._blocked(other):
                yield wanted.name

    def _blocked(self, job: JobView) -> bool:
        """Tell whether the job has not started, and won't before those that it depends on."""
        return _waits(job) and not _has_begun(job) and not self._pods.get(job.uid)

    def _named(self, namespace: str, name: str) -> JobView | None:
        return self._jobs.get(self._uid(namespace, name))

    def _uid(self, namespace: str, name: str) -> str:
        return self._uids.get(namespace, {}).get(name, "")

    def _dependents(self, namespace: str, name: str) -> set[str]:
        return self._waiting.get(namespace, {}).get(name, _NOBODY)


_NOBODY: set[str] = set()
_UNTOUCHED = ArrayRecord()


def _waits(job: JobView) -> bool:
    """Tell whether news of the jobs that this one depends on still matter to it."""
    phase = job.status.phase
    if not job.dependencies or job.deleting or (phase is not None and phase.terminal):
        return False
    # Tasks that wait for single tasks do so until the end.
    return not _has_begun(job) or any(wanted.task_by_task for wanted in job.dependencies)


def _has_begun(job: JobView) -> bool:
    status = job.status
    return bool(status.attempts or status.attempt_count) or status.array not in (None, _UNTOUCHED)


def _standing(job: JobView) -> tuple[object, ...]:
    """Give all of a job that a dependency's condition can hang on."""
    status = job.status
    started = any(attempt.started is not None or attempt.outcome is not None for attempt in status.attempts)
    return (job.uid, status.phase, started, status.array)
