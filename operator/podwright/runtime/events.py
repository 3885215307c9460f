"""Records Kubernetes Events of runs: best effort, one per fact, slowly, and never in the way of a write that matters.

The dispatcher hands over each status write that was accepted; a task of its own sends. What can't be sent soon is dropped: an
event that is lost loses nothing, since the status says the same. Namespaces take turns, and each may keep only a few
waiting, so one namespace's failures don't hide another's. A few are sent at once, of each namespace one: its admission webhooks
may keep each request for as long as they like, and must not hold up the events of others.
"""

import asyncio
import datetime
import hashlib
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, Final

import msgspec

from podwright.core.model.job import JobStatus, JobView
from podwright.core.run.events import EventLevel, RunEvent, events_between, pod_change_refused
from podwright.kube.codecs.requests import METADATA_ONLY, ApiRequest
from podwright.kube.paths import EVENTS, resource_path
from podwright.kube.responses import ApiUnreachable
from podwright.runtime.writer import Send

_WAITING_PER_NAMESPACE: Final = 50
_WAITING: Final = 1_000
_AT_ONCE: Final = 8
_DEADLINE: Final = 2.0
"""Seconds that one event may take."""
_PER_SECOND: Final = 10.0
_BURST: Final = 25.0
_REPORTER: Final = "podwright-operator"

_NONE: Final[deque[ApiRequest]] = deque()

_log = logging.getLogger(__name__)


class EventRecorder:
    """Keeps the events that wait, per namespace. `monotonic` is a clock in seconds that is never set; it paces the sending."""

    def __init__(
        self,
        *,
        send: Send,
        level: EventLevel,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        on_sent: Callable[[str], None],
    ) -> None:
        self._send = send
        self._level = level
        self._clock = clock
        self._monotonic = monotonic
        self._on_sent = on_sent
        self._waiting: OrderedDict[str, deque[ApiRequest]] = OrderedDict()
        self._sending: set[str] = set()
        self._changed = asyncio.Event()
        self._tokens = _BURST
        self._refilled = monotonic()

    def status_written(self, *, job: JobView, after: JobStatus) -> None:
        """Record what a status that was accepted says beyond the one before it."""
        if self._level is EventLevel.OFF:
            return
        for event in events_between(before=job.status, after=after, level=self._level):
            self._keep(job, event)

    def change_refused(self, *, job: JobView, pod: str, message: str) -> None:
        """Record that the API server refuses changes of a pod: of a job that is over no status says so."""
        if self._level is not EventLevel.OFF:
            self._keep(job, pod_change_refused(pod, message))

    async def run(self) -> None:
        """Send what waits, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                namespace = self._next_namespace()
                if namespace is None:
                    self._changed.clear()
                    await self._changed.wait()
                    continue
                self._sending.add(namespace)
                await asyncio.sleep(self._pause())
                group.create_task(self._send_one(namespace, self._take(namespace)), name="sending of an event")

    @property
    def waiting(self) -> int:
        """Return how many events wait to be sent, or for an answer."""
        return self._kept() + len(self._sending)

    def _kept(self) -> int:
        return sum(len(events) for events in self._waiting.values())

    def _keep(self, job: JobView, event: RunEvent) -> None:
        events = self._waiting.get(job.namespace, _NONE)
        if len(events) >= _WAITING_PER_NAMESPACE or self._kept() >= _WAITING:
            self._on_sent("dropped")
            return
        self._waiting.setdefault(job.namespace, deque()).append(_request(job, event, now=self._clock()))
        self._changed.set()

    def _next_namespace(self) -> str | None:
        """Return whose turn it is; None if nobody's, or if too much is being sent already."""
        if len(self._sending) >= _AT_ONCE:
            return None
        return next((namespace for namespace in self._waiting if namespace not in self._sending), None)

    def _take(self, namespace: str) -> ApiRequest:
        events = self._waiting.pop(namespace)
        request = events.popleft()
        if events:
            self._waiting[namespace] = events  # behind the others
        return request

    def _pause(self) -> float:
        """Return how long to wait before the next event, in seconds: a token bucket."""
        now = self._monotonic()
        self._tokens = min(_BURST, self._tokens + (now - self._refilled) * _PER_SECOND)
        self._refilled = now
        self._tokens -= 1.0
        return max(0.0, -self._tokens / _PER_SECOND)

    async def _send_one(self, namespace: str, request: ApiRequest) -> None:
        try:
            self._on_sent(await self._result(request))
        finally:
            self._sending.discard(namespace)
            self._changed.set()

    async def _result(self, request: ApiRequest) -> str:
        try:
            async with asyncio.timeout(_DEADLINE):
                answer = await self._send(request)
        except (ApiUnreachable, TimeoutError):
            return "failed"
        # 409: the same fact is on record, by us before a crash or by a former leader.
        if answer.status >= 300 and answer.status != 409:
            _log.debug("an event was refused: %s %s", answer.status, request.path)
            return "failed"
        return "sent"


def _request(job: JobView, event: RunEvent, *, now: float) -> ApiRequest:
    """Build the creation of a core/v1 Event, which is what kubectl shows; its name is a function of the fact."""
    digest = hashlib.sha256(f"{job.uid}/{event.fact}".encode()).hexdigest()[:16]
    time = datetime.datetime.fromtimestamp(now, tz=datetime.UTC)
    seconds = time.strftime("%Y-%m-%dT%H:%M:%SZ")
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{job.name[:230]}.{digest}", "namespace": job.namespace},
        "involvedObject": {
            "apiVersion": "podwright.dev/v1alpha1",
            "kind": "BatchJob",
            "namespace": job.namespace,
            "name": job.name,
            "uid": job.uid,
            "resourceVersion": str(job.resource_version),
        },
        "type": "Warning" if event.warning else "Normal",
        "reason": event.reason,
        "message": event.message,
        "action": event.reason,
        "count": 1,
        "firstTimestamp": seconds,
        "lastTimestamp": seconds,
        "source": {"component": _REPORTER},
        "reportingComponent": _REPORTER,
        "reportingInstance": _REPORTER,
    }
    return ApiRequest(
        method="POST",
        path=resource_path(EVENTS, namespace=job.namespace),
        body=msgspec.json.encode(body),
        accept=METADATA_ONLY,
    )
