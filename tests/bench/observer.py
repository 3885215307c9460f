"""Watches what becomes of submitted objects and takes the time at which each change is heard of.

Times are of this process's monotonic clock, the same for submission and end: what the API server writes into objects has
whole seconds only. The watches are the same for every kind of workload, so they cost all of them alike.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import aiohttp
import msgspec

from tests.bench.errors import BenchError
from tests.bench.workloads import PODS_PATH

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

    from tests.bench.workloads import Workload
    from tests.support.rest import Rest

_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=30)


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    name: str = ""
    resource_version: str = ""
    labels: dict[str, str] = {}
    finalizers: list[str] = []


class _Condition(msgspec.Struct, gc=False):
    type: str
    status: str


class _Status(msgspec.Struct, gc=False):
    phase: str = ""
    conditions: list[_Condition] = []


class _Object(msgspec.Struct, gc=False):
    metadata: _Metadata
    status: _Status = msgspec.field(default_factory=_Status)


class _Event(msgspec.Struct, gc=False):
    type: str
    object: _Object


class _StatusOnly(msgspec.Struct, gc=False):
    status: msgspec.Raw = msgspec.Raw(b"")


class _StatusEvent(msgspec.Struct, gc=False):
    object: _StatusOnly


_EVENT: Final = msgspec.json.Decoder(_Event)


@dataclass(slots=True, kw_only=True)
class Timeline:
    """The life of one submitted object, in seconds of the monotonic clock; None for what did not happen yet."""

    submitted: float
    pod_created: float | None = None
    pod_running: bool = False
    pod_ended: bool = False
    pod_let_go: bool = False
    """The pod has ended and no finalizer holds it."""
    finished: float | None = None


class Observer:
    """Hears of one workload's objects while its block lasts. A job that fails is an error: no measured job may."""

    def __init__(self, rest: Rest, workload: Workload) -> None:
        self._rest = rest
        self._workload = workload
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self.problem = ""
        """Why nothing can be measured any more, if so."""
        self.timelines: dict[str, Timeline] = {}
        self.created = 0
        self.running = 0
        self.ended = 0
        self.let_go = 0
        self.finished = 0
        self._largest = b""
        self.interruptions = 0
        """How often a watch ended and was begun anew, which makes what happened meanwhile look late."""

    async def __aenter__(self) -> Self:
        if self._workload.path != PODS_PATH:
            await self._start(self._workload.path, self._job_changed)
        await self._start(PODS_PATH, self._pod_changed)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def submitting(self, name: str) -> None:
        """Begin the timeline of an object that is about to be submitted."""
        self.timelines[name] = Timeline(submitted=time.monotonic())

    def largest_status(self) -> int:
        """Bytes of the largest status that a job had, as JSON without spaces, which is how it is stored."""
        return len(msgspec.json.decode(self._largest, type=_StatusEvent).object.status) if self._largest else 0

    async def until(self, what: str, count: int, *, seconds: float) -> None:
        """Wait until `count` objects are `created`, `running`, `ended`, `let_go` or `finished` (see the attributes).

        Raises:
            BenchError: a job failed, a watch broke off, or `seconds` passed.
        """
        try:
            async with asyncio.timeout(seconds):
                while getattr(self, what) < count:
                    self._changed.clear()
                    await self._changed.wait()
                    if self.problem:
                        raise BenchError(self.problem)
        except TimeoutError as error:
            raise BenchError(
                f"only {getattr(self, what)} of {count} {self._workload.title} objects were {what} within {seconds:.0f} s"
            ) from error

    async def _start(self, path: str, handle: _Handler) -> None:
        answer = await self._rest.send("GET", path, query={"limit": "1"})
        if answer.code != 200:
            raise BenchError(f"cannot list {path}: {answer.body}")
        version = str(answer.body["metadata"]["resourceVersion"])
        opened = asyncio.Event()
        self._tasks.append(asyncio.create_task(self._guarded(self._watch(path, version, handle, opened), path)))
        await opened.wait()

    async def _guarded(self, watch: Coroutine[None, None, None], path: str) -> None:
        try:
            await watch
        except (aiohttp.ClientError, OSError, msgspec.MsgspecError, BenchError) as error:
            self.problem = f"the bench's watch of {path} broke off: {error!r}"
            self._changed.set()

    async def _watch(self, path: str, version: str, handle: _Handler, opened: asyncio.Event) -> None:
        while True:
            # The API server ends a watch whose client it finds too slow; it goes on where it was.
            query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "3600"}
            try:
                response = await self._rest.session.get(path, params=query, timeout=_NO_TIMEOUT, read_bufsize=1 << 18)
            finally:
                opened.set()
            async with response:
                response.raise_for_status()
                rest = b""
                while chunk := await response.content.readany():
                    now = time.monotonic()
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        event = _EVENT.decode(line)
                        if event.type == "ERROR":
                            raise BenchError(line.decode(errors="replace"))
                        version = event.object.metadata.resource_version
                        if event.type != "DELETED":
                            handle(event.object, now)
                        # Of one job only the status grows, so that it needs not be measured in every event.
                        if path != PODS_PATH and len(line) > len(self._largest):
                            self._largest = line
                    self._changed.set()
            self.interruptions += 1

    def _pod_changed(self, pod: _Object, now: float) -> None:
        label = self._workload.owner_label
        timeline = self.timelines.get(pod.metadata.labels.get(label, "") if label else pod.metadata.name)
        if timeline is None:
            return
        if timeline.pod_created is None:
            timeline.pod_created = now
            self.created += 1
        phase = pod.status.phase
        if phase == "Running" and not timeline.pod_running:
            timeline.pod_running = True
            self.running += 1
        over = phase in {"Succeeded", "Failed"}
        if over and not timeline.pod_ended:
            timeline.pod_ended = True
            self.ended += 1
        if over and not pod.metadata.finalizers and not timeline.pod_let_go:
            timeline.pod_let_go = True
            self.let_go += 1
        if not label:
            self._job_changed(pod, now)

    def _job_changed(self, job: _Object, now: float) -> None:
        timeline = self.timelines.get(job.metadata.name)
        if timeline is None or timeline.finished is not None:
            return
        conditions = {condition.type for condition in job.status.conditions if condition.status == "True"}
        if job.status.phase == "Failed" or "Failed" in conditions:
            self.problem = f"{self._workload.title} {job.metadata.name} failed, which none should"
        elif job.status.phase == "Succeeded" or "Complete" in conditions:
            timeline.finished = now
            self.finished += 1


if TYPE_CHECKING:
    from collections.abc import Callable

    _Handler = Callable[[_Object, float], None]
