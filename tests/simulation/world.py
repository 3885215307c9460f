"""An engine with its reflectors and writer against the simulated API server, without elections: the tests of `runtime`.

Everything goes over HTTP as in a cluster, at the speed of the real clock, with nodes that end pods at once unless told
otherwise. `World` starts it, `api` is the server's inside for setting scenes and looking at results.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from podwright.core.accounting import Accounting
from podwright.core.constants import names
from podwright.core.run.events import EventLevel
from podwright.kube.access import Access
from podwright.kube.client import ApiClient
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.credentials import FixedCredentials
from podwright.kube.reflector import Reflector
from podwright.kube.responses import ApiResponse
from podwright.kube.server_clock import ServerClock
from podwright.runtime.controllers.job_controller import JobController
from podwright.runtime.engine import Engine
from podwright.runtime.events import EventRecorder
from podwright.runtime.flow import AdaptiveLimit
from podwright.runtime.key_sweep import KeySweep
from podwright.runtime.keys import Keys
from podwright.runtime.leader_term import LeaderTerm
from podwright.runtime.metrics import Metrics
from podwright.runtime.read_places import ReadPlaces
from podwright.runtime.writer import Send, Writer
from tests.support.simulator.api import Api
from tests.support.simulator.deletion import DeleteOptions
from tests.support.simulator.garbage import GarbageCollector
from tests.support.simulator.kinds import BATCH_JOB, NAMESPACE, POD
from tests.support.simulator.kubelet import Kubelet
from tests.support.simulator.server import Simulator
from tests.support.simulator.storage import Key

USER = "operator"
SYSTEM_NAMESPACE = "podwright-system"
Object = dict[str, Any]
Fault = Callable[[ApiRequest, Send], Awaitable[ApiResponse]]


class GrantedTerms:
    """A term that is given and taken by hand."""

    shards = 1

    def __init__(self) -> None:
        self.current: LeaderTerm | None = LeaderTerm(shard=0, epoch=1, baseline=0)

    def term(self, shard: int) -> LeaderTerm | None:
        """Return the term of the only shard."""
        return self.current if shard == 0 else None


class World:
    """The engine and the server under it. `fault` is asked to carry out each write, and may not."""

    def __init__(
        self,
        *,
        api: Api,
        simulator: Simulator,
        client: ApiClient,
        accounting: Accounting = Accounting.EXACT,
        holds_back: bool = False,
    ) -> None:
        self.api = api
        self.simulator = simulator
        self.kubelet = Kubelet(api)
        GarbageCollector(api)
        api.create(NAMESPACE, "", {"metadata": {"name": SYSTEM_NAMESPACE}}, user="system:admin")
        self.terms = GrantedTerms()
        self.metrics = Metrics()
        self.clock_error = 0.0
        """Seconds by which the operator's clock is fast."""
        self.fault: Fault | None = None
        self.writes: list[ApiRequest] = []
        self._client = client
        self.client_send = client.send
        keys = Keys(send=client.send, namespace=SYSTEM_NAMESPACE)
        reads = ReadPlaces()

        def own_clock() -> float:
            return time.time() + self.clock_error

        client.clock = ServerClock(clock=own_clock)
        clock = client.clock.now if holds_back else own_clock

        self.engine = Engine(
            writer=Writer(send=self._write, limit=AdaptiveLimit()),
            reads=reads,
            terms=self.terms,
            clock=clock,
            metrics=self.metrics,
        )
        self.events = EventRecorder(
            send=client.send,  # beside the writes that tests count
            level=EventLevel.PROBLEMS,
            clock=clock,
            monotonic=time.monotonic,
            on_sent=self.metrics.event_recorded,
        )
        self.controller = JobController(
            engine=self.engine,
            send=client.send,
            reads=reads,
            keys=keys,
            clock=clock,
            accounting=accounting,
            events=self.events,
        )
        self.engine.register(self.controller)
        store = self.store = self.controller.store
        self.key_sweep = KeySweep(send=client.send, keys=keys, store=store, terms=self.terms, clock=clock)
        self.jobs, self.pods = (
            Reflector(
                client=client,
                path=one.path(""),
                decoder=one.decoder,
                sink=one.sink(""),
                label_selector=one.label_selector,
            )
            for one in self.engine.reflected()
        )

    async def _write(self, request: ApiRequest) -> ApiResponse:
        self.writes.append(request)
        return await (self._client.send(request) if self.fault is None else self.fault(request, self._client.send))

    async def engine_send(self, request: ApiRequest) -> ApiResponse:
        """Carry out a write of the engine's whose answer it never got, late."""
        return await self._client.send(request)

    def change_leader(self) -> None:
        """Go on as another process would: with what the API server has, and in the next epoch."""
        assert self.terms.current is not None
        epoch, baseline = self.terms.current.epoch + 1, self.api.revisions.last
        self.terms.current = LeaderTerm(shard=0, epoch=epoch, baseline=baseline)
        for ref in self.controller.refs():
            self.controller.expectations.drop(ref, gone=True)
            self.engine._lines.leave(ref, now=time.time())
        self.engine.mark_all()

    def submit(
        self, name: str = "job", *, namespace: str = "default", script: dict[str, str] | None = None, **spec: Any
    ) -> str:
        """Create a job whose pods play `script`, and return its uid."""
        template = {
            "metadata": {"annotations": {f"fake.podwright.dev/{k}": v for k, v in (script or {}).items()}},
            "spec": {"containers": [{"name": "main", "image": "busybox:1"}]},
        }
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.JOB_KIND,
            "metadata": {"name": name},
            "spec": {"template": template, **spec},
        }
        uid: str = self.api.create(BATCH_JOB, namespace, body, user="user").document["metadata"]["uid"]
        return uid

    def edit(self, name: str = "job", **spec: Any) -> None:
        """Change fields of a job's spec, as its user."""
        self.api.update(
            BATCH_JOB,
            Key("default", name),
            lambda job: {**job, "spec": {**job["spec"], **spec}},
            user="user",
            subresource="",
            by_put=False,
        )

    def set_status(self, name: str = "job", **fields: Any) -> None:
        """Change fields of a job's status, as another operator."""
        self.api.update(
            BATCH_JOB,
            Key("default", name),
            lambda job: {**job, "status": {**job.get("status", {}), **fields}},
            user="another operator",
            subresource="status",
            by_put=False,
        )

    def let_wait(self, name: str, *, reason: str, message: str) -> None:
        """Let a container of a pod wait, as its node."""
        state = {"name": "main", "state": {"waiting": {"reason": reason, "message": message}}}
        self._tell(name, {"containerStatuses": [state]})

    def end_pod(self, name: str, *, exit_code: int, **status_fields: Any) -> None:
        """Let a pod end, as its node."""
        terminated = {"exitCode": exit_code, "reason": "Error" if exit_code else "Completed", "finishedAt": now_text()}
        status = {
            "phase": "Failed" if exit_code else "Succeeded",
            "startTime": now_text(),
            "containerStatuses": [{"name": "main", "state": {"terminated": terminated}}],
            **status_fields,
        }
        self._tell(name, status)

    def patch_pod(self, name: str, *, owner_uid: str) -> None:
        """Change the owner of a pod, as a tenant would."""
        owner = {
            "apiVersion": names.API_VERSION,
            "kind": names.JOB_KIND,
            "name": "x",
            "uid": owner_uid,
            "controller": True,
        }
        self.api.update(
            POD,
            Key("default", name),
            lambda pod: {**pod, "metadata": {**pod["metadata"], "ownerReferences": [owner]}},
            user="tenant",
            subresource="",
            by_put=False,
        )

    def _tell(self, name: str, status: Object) -> None:
        self.api.update(
            POD,
            Key("default", name),
            lambda pod: {**pod, "status": {**pod["status"], **status}},
            user="node",
            subresource="status",
            by_put=False,
        )

    def delete_job(self, name: str = "job") -> None:
        """Delete a job, as its user."""
        self.api.delete(BATCH_JOB, Key("default", name), DeleteOptions(), user="user")

    def job(self, name: str = "job") -> Object:
        """Return a job as it is stored."""
        return self.api.get(BATCH_JOB, Key("default", name)).document

    def status(self, name: str = "job") -> Object:
        """Return the status of a job."""
        status: Object = self.job(name).get("status", {})
        return status

    def pod_objects(self) -> list[Object]:
        """Return all pods, oldest name first."""
        return [stored.document for _, stored in sorted(self.api.table(POD).objects.items())]

    def is_over(self, name: str = "job") -> bool:
        """Return whether a job is finished and all its pods are accounted for."""
        return "finishTime" in self.status(name) and not self.held()

    def is_finished(self, name: str) -> bool:
        """Return whether a job is finished, whatever is left of its pods."""
        return "finishTime" in self.status(name)

    def exists(self, name: str) -> bool:
        """Return whether a job is stored."""
        return Key("default", name) in self.api.table(BATCH_JOB).objects

    def held(self) -> bool:
        """Return whether any pod still has our finalizer."""
        return any(names.FINALIZER in pod["metadata"].get("finalizers", []) for pod in self.pod_objects())

    def written(self, method: str) -> list[str]:
        """Return the last part of the path of each write with that method."""
        return [request.path.rsplit("/", 1)[-1] for request in self.writes if request.method == method]


def now_text() -> str:
    """Return the present time as the API server writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


async def until(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: it did not hold in time.
    """
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is about another server's state
            await asyncio.sleep(0.005)


@asynccontextmanager
async def started_world(
    *, start: bool = True, accounting: Accounting = Accounting.EXACT, holds_back: bool = False
) -> AsyncIterator[World]:
    """Return a running world; with `start=False` nothing runs until `run_engine`.

    `holds_back` decides by the server's time where the operator's clock is ahead, as the operator does; tests that let time pass by
    `clock_error` must not.
    """
    api = Api()
    async with Simulator(api) as simulator:
        credentials = FixedCredentials(Access(server=simulator.url, token=USER))
        async with ApiClient(credentials) as client:
            world = World(api=api, simulator=simulator, client=client, accounting=accounting, holds_back=holds_back)
            tasks = [
                asyncio.create_task(part.run()) for part in (world.jobs, world.pods, world.key_sweep, world.events)
            ]
            try:
                await asyncio.wait_for(asyncio.gather(world.jobs.synced.wait(), world.pods.synced.wait()), 10)
                if start:
                    tasks.append(asyncio.create_task(world.engine.run()))
                yield world
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


def decoded(request: ApiRequest) -> Object:
    """Return the body of a request."""
    body: Object = msgspec.json.decode(request.body or b"{}")
    return body
