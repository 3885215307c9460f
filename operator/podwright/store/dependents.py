"""Who waits for whom: jobs by name, the jobs that depend on a name, and circles among them. Part of `store.jobs`.

Each event costs what it touches: the jobs that depend on the one that changed. A circle is only looked for when a job appears that
both depends on jobs and is depended on, since no other event can close one: who depends on whom never changes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from podwright.core.job.gates.dependency import NO_DEPENDENCIES, Dependencies
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.store.circles import Circles, Name


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
        self._circles = Circles(successors=self._successors, predecessors=self._predecessors)

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
        return Dependencies(
            jobs=found, started=frozenset(started), cycle=self._circles.told_of((job.namespace, job.name))
        )

    def is_awaited(self, job: JobView) -> bool:
        """Return whether a job that has not started depends on this one."""
        return self._uid(job.namespace, job.name) == job.uid and bool(self._dependents(job.namespace, job.name))

    def put(self, before: JobView | None, job: JobView) -> None:
        """Record a job that appeared or changed; the store has it already."""
        if before is None:
            self._take_name(job)
        if before is not None and _waits(before):
            self._unregister(before, still=_waits(job))
        if _waits(job):
            for wanted in job.dependencies:
                self._waiting.setdefault(job.namespace, {}).setdefault(wanted.name, set()).add(job.uid)
        if not self._blocked(job):
            self._tell(self._circles.leave((job.namespace, job.name)))
        if before is None or _standing(before) != _standing(job):
            self._tell_dependents(job)
        if before is None and _waits(job) and self._dependents(job.namespace, job.name):
            self._tell(self._circles.join((job.namespace, job.name)))

    def remove(self, job: JobView) -> None:
        """Record that a job is gone; the store has forgotten it already."""
        if _waits(job):
            self._unregister(job, still=False)
        named = self._uids.get(job.namespace, {})
        if named.get(job.name) == job.uid:
            del named[job.name]
            if not named:
                self._uids.pop(job.namespace, None)
            self._tell(self._circles.leave((job.namespace, job.name)))
        self._tell_dependents(job)

    def pod_started(self, job_uid: str) -> None:
        """Record that a pod of a job was seen to have started."""
        job = self._jobs.get(job_uid)
        if job is not None:
            self._tell_dependents(job)

    def counts(self) -> tuple[int, int, int]:
        """Return how many names, dependencies that are waited for, and jobs in circles are kept."""
        return (
            sum(len(named) for named in self._uids.values()),
            sum(len(waiting) for waiting in self._waiting.values()),
            len(self._circles),
        )

    def _take_name(self, job: JobView) -> None:
        """Return the name to the newest of all that bear it: a namesake's deletion may be seen late."""
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

    def _tell(self, names: Iterable[Name]) -> None:
        for namespace, name in names:
            self._on_change(self._uid(namespace, name))

    def _successors(self, of: Name) -> Iterator[Name]:
        """Return those of the jobs that a waiting job depends on that wait themselves."""
        namespace, name = of
        job = self._named(namespace, name)
        if job is None or not self._blocked(job):
            return
        for wanted in job.dependencies:
            other = self._named(namespace, wanted.name)
            if other is not None and self._blocked(other):
                yield namespace, wanted.name

    def _predecessors(self, of: Name) -> Iterator[Name]:
        """Return the jobs that wait for a waiting job, and have not begun."""
        namespace, name = of
        job = self._named(namespace, name)
        if job is None or not self._blocked(job):
            return
        for uid in self._dependents(namespace, name):
            other = self._jobs.get(uid)
            if other is not None and self._blocked(other) and self._uid(namespace, other.name) == uid:
                yield namespace, other.name

    def _blocked(self, job: JobView) -> bool:
        """Return whether the job has not started, and won't before those that it depends on."""
        return _waits(job) and not job.status.has_begun and not self._pods.get(job.uid)

    def _named(self, namespace: str, name: str) -> JobView | None:
        return self._jobs.get(self._uid(namespace, name))

    def _uid(self, namespace: str, name: str) -> str:
        return self._uids.get(namespace, {}).get(name, "")

    def _dependents(self, namespace: str, name: str) -> set[str]:
        return self._waiting.get(namespace, {}).get(name, _NOBODY)


_NOBODY: set[str] = set()


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
