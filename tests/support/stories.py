"""A store of jobs that is told of one event after another, by tests of what it concludes."""

import time

import msgspec

from podwright.core.model.job import JobView
from podwright.core.spec import Dependency
from podwright.store.jobs import JobStore
from tests.support.builders import make_job, with_status


class Story:
    """A store, and jobs that are put into it with ever higher versions. Uids are names unless said otherwise."""

    def __init__(self) -> None:
        self.marked: list[str] = []
        self.store = JobStore(on_change=self.marked.append)
        self.version = 0
        self._pause = 0.0

    def put(self, job: JobView, **status: object) -> JobView:
        """Store the next version of a job."""
        self.version += 1
        job = msgspec.structs.replace(with_status(job, **status), resource_version=self.version)
        self.store.put_job(job)
        return job

    def new(self, name: str, *on: str, uid: str = "", **changes: object) -> JobView:
        """Store a new job that depends on others."""
        dependencies = tuple(Dependency(name=one) for one in on)
        return self.put(make_job(uid=uid or name, name=name, dependencies=dependencies, **changes))

    def told(self) -> set[str]:
        """Return who was told of something since the last time."""
        told = set(self.marked)
        self.marked.clear()
        return told

    def work_off_once(self) -> bool:
        """Have one piece of what was left to be done; return whether that was all."""
        self._pause += 1e6
        return self.store.work_off(lambda: time.monotonic() + self._pause) is None

    def search(self) -> None:
        """Have everything done that was left to be done."""
        while not self.work_off_once():
            pass

    def cycle(self, name: str) -> str:
        """Return the names on the cycle that a job is told of, one after another."""
        job = self.store.job(name)
        cycle = None if job is None else self.store.dependencies(job).cycle
        return "" if cycle is None else "".join(cycle.names)
