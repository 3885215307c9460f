"""A kind of its own, in this file alone: reflected, decided, written, fenced, recovered after SIGKILL, reported when unreadable.

A Widget wants so many pods to succeed. Nothing of the engine, the writer or the stores knows it. Run as a program this file is an
operator for Widgets: `python -m tests.simulation.test_throwaway_kind URL EPOCH`.
"""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from podwright.core.commands import CreateChild, Decision, Release, WriteStatus
from podwright.core.constants import names
from podwright.core.values.ref import POD, Ref
from podwright.kube.access import Access
from podwright.kube.client import ApiClient
from podwright.kube.codecs.page import object_decoder
from podwright.kube.credentials import FixedCredentials
from podwright.kube.paths import PODS, Resource
from podwright.kube.reflector import Reflector
from podwright.runtime.controllers.described import DescribedController
from podwright.runtime.controllers.description import Description, Snapshot
from podwright.runtime.engine import Engine
from podwright.runtime.flow import AdaptiveLimit
from podwright.runtime.leader_term import LeaderTerm
from podwright.runtime.metrics import Metrics
from podwright.runtime.read_places import ReadPlaces
from podwright.runtime.writer import Writer
from tests.simulation.world import until
from tests.support.simulator import kinds
from tests.support.simulator.api import Api
from tests.support.simulator.fence import OPERATOR, SYSTEM_NAMESPACE, fence
from tests.support.simulator.garbage import GarbageCollector
from tests.support.simulator.kinds import LEASE, NAMESPACE
from tests.support.simulator.kinds import POD as PODS_OF_SIMULATOR
from tests.support.simulator.kubelet import Kubelet
from tests.support.simulator.server import Simulator
from tests.support.simulator.storage import Key

KIND = "Widget"
LABEL = "widgets.test/uid"
SERVED = kinds.Kind(group="widgets.test", version="v1", plural="widgets", kind=KIND, custom=True)


class Metadata(msgspec.Struct, rename="camel"):
    """The metadata that are read."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    labels: dict[str, str] = {}
    finalizers: list[str] = []
    owner_references: list[dict[str, Any]] = []


class WidgetSpec(msgspec.Struct):
    """How many pods are wanted."""

    pods: int


class WidgetObject(msgspec.Struct):
    """A Widget as it is stored."""

    metadata: Metadata
    spec: WidgetSpec
    status: dict[str, Any] = {}


class PodStatus(msgspec.Struct, frozen=True):
    """The phase of a pod."""

    phase: str = ""


class PodObject(msgspec.Struct):
    """A pod as it is stored."""

    metadata: Metadata
    status: PodStatus = PodStatus()


class Widget(msgspec.Struct, frozen=True):
    """What is known of a Widget."""

    uid: str
    namespace: str
    name: str
    resource_version: int
    pods: int
    done: bool


class Child(msgspec.Struct, frozen=True):
    """What is known of its pods."""

    uid: str
    namespace: str
    name: str
    resource_version: int
    owner_uid: str
    owner_name: str
    phase: str
    held: bool


def widget(seen: WidgetObject) -> Widget:
    meta = seen.metadata
    return Widget(
        meta.uid,
        meta.namespace,
        meta.name,
        int(meta.resource_version),
        seen.spec.pods,
        seen.status.get("phase") == "Done",
    )


def child(seen: PodObject) -> Child:
    meta = seen.metadata
    owner = next((one for one in meta.owner_references if one["kind"] == KIND), {"uid": "", "name": ""})
    owned = owner["uid"] if meta.labels.get(LABEL) == owner["uid"] else ""
    held = names.FINALIZER in meta.finalizers
    version = int(meta.resource_version)
    return Child(meta.uid, meta.namespace, meta.name, version, owned, owner["name"], seen.status.phase, held)


def decide(snapshot: Snapshot) -> Decision:
    """Create what is missing, record the end, then let go."""
    mine: Widget = snapshot.subject
    if mine.done:
        return Decision(
            commands=tuple(
                Release(of=snapshot.ref, target=Ref(POD, pod.uid), namespace=pod.namespace, name=pod.name)
                for pod in snapshot.children.values()
                if pod.held
            )
        )
    if snapshot.roll_up.counts.get("Succeeded", 0) >= mine.pods:
        return Decision(
            commands=(
                WriteStatus(
                    of=snapshot.ref,
                    namespace=mine.namespace,
                    name=mine.name,
                    resource_version=mine.resource_version,
                    status={"phase": "Done"},
                ),
            )
        )
    wanted = [f"{mine.name}-{number}" for number in range(mine.pods)]
    missing = [name for name in wanted if name not in snapshot.children and name not in snapshot.pending]
    return Decision(
        commands=tuple(
            CreateChild(of=snapshot.ref, kind=POD, namespace=mine.namespace, name=name, spec=None)
            for name in missing[: snapshot.room]
        )
    )


def build(owner: Widget, command: CreateChild, term: LeaderTerm) -> bytes:
    reference = {
        "apiVersion": "widgets.test/v1",
        "kind": KIND,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
    }
    metadata = {
        "name": command.name,
        "labels": {LABEL: owner.uid, names.LABEL_SHARD: str(term.shard)},
        "annotations": {names.ANNOTATION_EPOCH: str(term.epoch), "fake.podwright.dev/duration": "100ms"},
        "finalizers": [names.FINALIZER],
        "ownerReferences": [reference],
    }
    spec = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox:1"}]}
    return msgspec.json.encode({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


DESCRIPTION = Description(
    kind=KIND,
    resource=Resource("/apis/widgets.test/v1", "widgets"),
    decoder=object_decoder(KIND, wire=WidgetObject, view=widget),
    child_kind=POD,
    child_resource=PODS,
    child_decoder=object_decoder(POD, wire=PodObject, view=child),
    child_label=LABEL,
    decide=decide,
    build_child=build,
    encode_status=lambda status: status,
    with_status=lambda seen, status, version: msgspec.structs.replace(
        seen, resource_version=version, done=status["phase"] == "Done"
    ),
    is_over=lambda seen: seen.done,
)


class Granted:
    """The right to act, in an epoch that the program was told."""

    shards = 1

    def __init__(self, epoch: int) -> None:
        self._term = LeaderTerm(shard=0, epoch=epoch, baseline=0)

    def term(self, shard: int) -> LeaderTerm | None:
        """Return the only one."""
        return self._term


async def operate(url: str, epoch: int) -> None:
    """Be an operator of Widgets until killed."""
    async with ApiClient(FixedCredentials(Access(server=url, token=OPERATOR))) as client:
        metrics = Metrics()
        writer = Writer(send=client.send, limit=AdaptiveLimit())
        engine = Engine(writer=writer, reads=ReadPlaces(), terms=Granted(epoch), clock=time.time, metrics=metrics)
        engine.register(DescribedController(DESCRIPTION, engine=engine, send=client.send))
        reflectors = [
            Reflector(
                client=client,
                path=one.path(""),
                decoder=one.decoder,
                sink=one.sink(""),
                label_selector=one.label_selector,
            )
            for one in engine.reflected()
        ]
        tasks = [asyncio.create_task(reflector.run()) for reflector in reflectors]
        for reflector in reflectors:
            await reflector.synced.wait()
        await asyncio.gather(engine.run(), *tasks)


@asynccontextmanager
async def operator(url: str, *, epoch: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, url, str(epoch))
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def cluster(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Api, str]]:
    monkeypatch.setitem(kinds.SERVED, ("widgets.test", "v1", "widgets"), SERVED)
    api = Api()
    api.rules.append(fence(api))
    api.create(NAMESPACE, "", {"metadata": {"name": SYSTEM_NAMESPACE}}, user="system:admin")
    lease = {"metadata": {"name": "podwright-shard-0"}, "spec": {"leaseTransitions": 1}}
    api.create(LEASE, SYSTEM_NAMESPACE, lease, user="system:admin")
    GarbageCollector(api)
    Kubelet(api)
    async with Simulator(api) as simulator:
        yield api, simulator.url


def submit(api: Api, name: str, **spec: Any) -> None:
    body = {"apiVersion": "widgets.test/v1", "kind": KIND, "metadata": {"name": name}, "spec": spec}
    api.create(SERVED, "default", body, user="user")


def status(api: Api, name: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(SERVED, Key("default", name)).document.get("status", {})
    return found


def pods(api: Api) -> list[dict[str, Any]]:
    return [stored.document for _, stored in sorted(api.table(PODS_OF_SIMULATOR).objects.items())]


def held(api: Api) -> bool:
    return any(pod["metadata"].get("finalizers") for pod in pods(api))


async def test_a_kind_needs_no_line_beyond_its_own_file(monkeypatch: pytest.MonkeyPatch) -> None:
    async with cluster(monkeypatch) as (api, url):
        submit(api, "w", pods=40)
        async with operator(url, epoch=1) as first:
            await until(lambda: len(pods(api)) >= 5, seconds=30)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        assert status(api, "w") == {}
        async with operator(url, epoch=1):
            await until(lambda: status(api, "w").get("phase") == "Done" and not held(api), seconds=30)
            assert len(pods(api)) == 40
            submit(api, "odd", pods="many")
            await until(lambda: status(api, "odd").get("reason") == "InternalError", seconds=10)
            assert "expected `int`" in status(api, "odd")["message"].lower() or "int" in status(api, "odd")["message"]


async def test_its_children_are_fenced(monkeypatch: pytest.MonkeyPatch) -> None:
    async with cluster(monkeypatch) as (api, url):
        submit(api, "w", pods=3)
        async with operator(url, epoch=0):
            await asyncio.sleep(4.0)
            assert pods(api) == []


if __name__ == "__main__":
    asyncio.run(operate(sys.argv[1], int(sys.argv[2])))
