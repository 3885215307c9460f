"""The whole operator, put together: client, reflectors, store, engine, writer, leadership. Started by `adapters`.

It runs until it is told to stop, and then leaves in good order: no new writes, a short wait for those under way, the Leases
given back. If it loses a Lease, or a part of it dies, it ends with an error: a fresh process is the safest repair.
"""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Awaitable, Iterator
from typing import Any, Final

import msgspec

from podwright.kube.client import ApiClient, Pool
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.credentials import Credentials
from podwright.kube.reflector import Reflector
from podwright.kube.responses import ApiResponse
from podwright.runtime.controllers.job_controller import JobController
from podwright.runtime.engine import Engine
from podwright.runtime.events import EventRecorder
from podwright.runtime.flow import AdaptiveLimit
from podwright.runtime.key_sweep import KeySweep
from podwright.runtime.keys import Keys
from podwright.runtime.leadership import Leadership
from podwright.runtime.metrics import Metrics
from podwright.runtime.read_places import ReadPlaces
from podwright.runtime.settings import Settings
from podwright.runtime.sight import BlindError, Sight
from podwright.runtime.turns import LoopTurns
from podwright.runtime.writer import Writer

_LEAVE_TIME: Final = 1.5
"""Seconds that writes under way have to be answered when the operator is told to stop; a successor waits for them."""
_SILENCE_LIMIT: Final = 600.0

_log = logging.getLogger(__name__)


class Health(msgspec.Struct, frozen=True):
    """What the probes tell; empty strings while all is well."""

    alive_problem: str
    ready_problem: str


class Operator:
    """One operator process's work. Make and use it inside one event loop, that of `turns` if its turns are to be measured."""

    def __init__(self, *, credentials: Credentials, settings: Settings, turns: LoopTurns | None = None) -> None:
        self._settings = settings
        self._client = ApiClient(credentials, user_agent="podwright-operator")
        self.metrics = Metrics(turns)
        self._writer = Writer(send=self._write, limit=AdaptiveLimit(highest=settings.highest_concurrency))
        self._leadership = Leadership(
            client=self._client, settings=settings, on_gain=self._gained, obstacle=self._obstacle
        )
        keys = Keys(send=self._read, namespace=settings.namespace)
        reads = ReadPlaces()
        self._events = EventRecorder(
            send=self._write,
            level=settings.events,
            clock=self._client.clock.now,
            monotonic=time.monotonic,
            on_sent=self.metrics.event_recorded,
        )
        self.engine = Engine(
            writer=self._writer, reads=reads, terms=self._leadership, clock=self._client.clock.now, metrics=self.metrics
        )
        self.jobs = JobController(
            engine=self.engine,
            send=self._read,
            reads=reads,
            keys=keys,
            clock=self._client.clock.now,
            accounting=settings.accounting,
            events=self._events,
        )
        self.engine.register(self.jobs)
        self._reflectors = [
            reflector for namespace in settings.watch_namespaces or ("",) for reflector in self._mirror(namespace)
        ]
        self._sight = Sight(self._reflectors, limit=settings.blind_limit, metrics=self.metrics)
        self._key_sweep = KeySweep(
            send=self._read,
            keys=keys,
            store=self.jobs.store,
            terms=self._leadership,
            clock=self._client.clock.now,
            namespaces=settings.watch_namespaces,
        )

    async def run(self, *, stop: asyncio.Event) -> None:
        """Work until `stop` is set.

        Raises:
            LeadershipLostError: another operator leads, or this one could not renew its Lease in time.
            BlindError: it leads, and sees nothing of jobs or pods any more.
            FenceMissingError: the cluster lacks the policy that fences out former leaders.
            FenceUnprovenError: the API server gave no answer that tells.
        """
        gc.freeze()  # what was imported stays, and to look through all of it would be a long turn of the loop
        parts: set[asyncio.Task[Any]] = {
            *(
                asyncio.create_task(each.run(), name=f"reflector of {each.kind} {each.namespace}".strip())
                for each in self._reflectors
            ),
            asyncio.create_task(self._lead(), name="leadership"),
            asyncio.create_task(self.engine.run(), name="engine"),
            asyncio.create_task(self._key_sweep.run(), name="sweep of old keys"),
            asyncio.create_task(self._events.run(), name="event recorder"),
            asyncio.create_task(self._step_down_when_blind(), name="watch over the caches"),
        }
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            done, _ = await asyncio.wait({*parts, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
                raise RuntimeError(f"the {task.get_name()} ended although nobody stopped it")
        finally:
            await self._leave({*parts, stopped})

    def health(self) -> Health:
        """Return what the probes tell: alive unless a new process would help, ready if this one can act or take over."""
        # What is kept is newer than the API server's state and will stay so; a new process starts from what is there.
        # A loop that is stuck needs no words: it doesn't answer.
        alive = self._sight.hopeless(after=_SILENCE_LIMIT)
        problems = self._sight.unlisted() or [self._sight.blindness(), self._leadership.problem]
        return Health(alive_problem=alive, ready_problem="; ".join(dict.fromkeys(filter(None, problems))))

    def exposition(self) -> bytes:
        """Return the metrics in the Prometheus text format."""
        jobs, pods = self.jobs.store.counts()
        self._sight.observe()
        self.metrics.observe(
            jobs=jobs,
            pods=pods,
            backlog=self._writer.backlog,
            under_way=self._writer.under_way,
            limit=self._writer.limit,
            leading=self._leadership.held,
            dead_letters=self.jobs.store.dead_letters.by_namespace(),
            clock_ahead=self._client.clock.ahead,
        )
        return self.metrics.exposition()

    async def _lead(self) -> None:
        # Standing for election with empty caches would only delay whoever is ready.
        await self._sight.synced()
        # What was listed stays for long; the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        # The younger generations are kept so small that a collection of them takes some milliseconds. They hold many times as many
        # objects as the thresholds say, since what goes of older ones is taken off the count.
        gc.set_threshold(5_000, 1, 10_000)
        await self._leadership.run()

    async def _leave(self, tasks: set[asyncio.Task[Any]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_TIME):
                await self._writer.close()
        await self._leadership.release()
        await self._client.close()

    def _obstacle(self) -> str:
        return self._sight.blindness()

    async def _step_down_when_blind(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            blindness = self._sight.blindness()
            if blindness and self._leadership.held:
                raise BlindError(f"stepping down: {blindness}")

    def _mirror(self, namespace: str) -> Iterator[Reflector[Any]]:
        """Make the reflectors of one namespace, or of all: those that the registered kinds need."""
        for one in self.engine.reflected():
            yield Reflector(
                client=self._client,
                path=one.path(namespace),
                namespace=namespace,
                decoder=one.decoder,
                sink=one.sink(namespace),
                label_selector=one.label_selector,
            )

    def _gained(self, shard: int) -> None:
        _log.info("leading shard %d as %s", shard, self._settings.identity)
        term = self._leadership.term(shard)
        if term is not None:
            self.engine.begin_term(term)

    def _write(self, request: ApiRequest) -> Awaitable[ApiResponse]:
        return self._client.send(request, deadline=self._settings.request_deadline, pool=Pool.WRITE)

    def _read(self, request: ApiRequest) -> Awaitable[ApiResponse]:
        return self._client.send(request, deadline=self._settings.request_deadline, pool=Pool.READ)
