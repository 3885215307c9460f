"""What a tenant writes must not hold up the event loop: an operator as a process of its own, its Lease, and its metric of turns.

What is asserted is the processor time that the operator used in each turn of its loop (`podwright_loop_held_seconds`). How long
turns took altogether depends on what else the machine has to do.
"""

import asyncio
import contextlib
import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from podwright.core.constants import names
from podwright.core.values.index_set import IndexSet
from podwright.devcluster import ports
from tests.bench import workloads
from tests.bench.simulated import leader, simulator, submitter
from tests.support.rest import MERGE, Rest
from tests.support.simulator.api import Api
from tests.support.simulator.deletion import DeleteOptions
from tests.support.simulator.fence import SYSTEM_NAMESPACE, fence
from tests.support.simulator.kinds import BATCH_JOB, NAMESPACE
from tests.support.simulator.kubelet import Kubelet
from tests.support.simulator.server import Simulator
from tests.support.simulator.storage import Event, Key

LONGEST = 0.05
JOBS = workloads.BATCH_JOB.path
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/podwright-system/leases/{names.lease_name(0)}"
_HELD = re.compile(r'^podwright_loop_held_seconds_bucket\{le="(\S+)"\} (\S+)$', re.MULTILINE)


class Operator:
    """What is known of it from outside."""

    def __init__(self, rest: Rest, port: int) -> None:
        self.rest = rest
        self._address = f"http://127.0.0.1:{port}/metrics"

    async def held(self) -> Counter[float]:
        """Return how often its own work held up the loop for at most so many seconds."""
        async with aiohttp.ClientSession() as session, session.get(self._address) as response:
            found = _HELD.findall(await response.text())
        return Counter({float(bound): round(float(count)) for bound, count in found})

    async def lease(self) -> dict[str, Any]:
        """Return the Lease's spec."""
        spec: dict[str, Any] = (await self.rest.send("GET", LEASE)).body["spec"]
        return spec

    async def submit(self, name: str, spec: Mapping[str, Any] | bytes) -> None:
        """Create a job; `spec` may be JSON that no library would make."""
        if isinstance(spec, bytes):
            head = (
                f'{{"apiVersion":"{names.API_VERSION}","kind":"{names.JOB_KIND}","metadata":{{"name":"{name}"}},"spec":'
            )
            answer = await self.rest.send("POST", JOBS, head.encode() + spec + b"}")
        else:
            body = {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, "metadata": {"name": name}, "spec": spec}
            answer = await self.rest.send("POST", JOBS, body)
        assert answer.code == 201, answer

    async def change(self, name: str, change: dict[str, Any], *, subresource: str = "") -> None:
        """Change a job."""
        answer = await self.rest.send("PATCH", f"{JOBS}/{name}{subresource}", change, content_type=MERGE)
        assert answer.code == 200, answer

    async def until(self, name: str, condition: Callable[[Any], bool], *, seconds: float = 60.0) -> None:
        """Wait until the status of a job is as it should be."""
        status: Any = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    status = (await self.rest.send("GET", f"{JOBS}/{name}")).body.get("status", {})
                    if condition(status):
                        return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{name}: {str(status)[:500]}") from None


@contextlib.asynccontextmanager
async def unharmed() -> AsyncIterator[Operator]:
    """Run an operator beside a simulator; after the block it must be as `unharmed_at` says."""
    with simulator() as (_, server, directory):
        async with submitter(server) as rest, unharmed_at(server, rest, directory) as operator:
            yield operator


@contextlib.asynccontextmanager
async def unharmed_at(server: str, rest: Rest, directory: Path) -> AsyncIterator[Operator]:
    """Run an operator; after the block it must still lead, without having lost its Lease, and never have been held up for long."""
    with ports.free_ports(1) as (port,):
        async with leader(rest, directory, server, http_port=port):
            operator = Operator(rest, port)
            first, before = await operator.lease(), await operator.held()
            yield operator
            after = await operator.held()
            async with asyncio.timeout(10):
                while (last := await operator.lease())["renewTime"] == first["renewTime"]:  # noqa: ASYNC110 -- nothing tells
                    await asyncio.sleep(0.2)
            assert last["leaseTransitions"] == first["leaseTransitions"]
            held = {bound: count - before[bound] for bound, count in after.items()}
            assert held[LONGEST] == held[math.inf], f"the loop was held up: {held}"


def template(**annotations: str) -> dict[str, Any]:
    return {
        "metadata": {"annotations": {f"fake.podwright.dev/{key}": value for key, value in annotations.items()}},
        "spec": {"containers": [{"name": "main", "image": "busybox:1"}]},
    }


async def test_s5_failed_pods_that_an_expression_is_slow_on() -> None:
    tasks = 200
    async with unharmed() as operator:
        spec = {
            "array": {"size": tasks, "parallelism": tasks},
            "failurePolicy": {"rules": [{"action": "FailTask", "onMessage": "(?:[ab]{0,10}){0,14}c"}]},
            "retry": {"limit": 1000, "initial": "1h", "max": "1h"},
            "template": template(**{"exit-code": "1", "termination-message": "ab" * 2000}),
        }
        await operator.submit("hostile", spec)
        await operator.until("hostile", lambda status: status.get("attemptCount", 0) >= tasks)


async def test_s11_a_graph_of_50000_dependencies_with_cycles_and_its_deletion() -> None:
    jobs, each = 500, 100
    async with unharmed() as operator:
        for number in range(jobs):
            others = [{"name": f"job-{(number + distance) % jobs}"} for distance in range(1, each + 1)]
            await operator.submit(f"job-{number}", {"dependsOn": others, "template": template()})
        await operator.until("job-0", lambda status: status.get("reason") == "DependencyCycle")
        deletions = [operator.rest.send("DELETE", f"{JOBS}/job-{number}") for number in range(jobs)]
        await asyncio.gather(*deletions)
        await operator.submit("last", {"template": template()})
        await operator.until("last", lambda status: status.get("phase") == "Succeeded")


async def test_s11_a_ring_of_25000_jobs_that_are_all_listed_again(tmp_path: Path) -> None:
    """The API server is in this process, where to create a job takes no request."""
    jobs = 25_000
    api = Api()
    api.rules.append(fence(api))
    api.create(NAMESPACE, "", {"metadata": {"name": SYSTEM_NAMESPACE}}, user="system:admin")
    Kubelet(api)
    told = asyncio.Event()

    def look(event: Event) -> None:
        if event.current.document.get("status", {}).get("reason") == "DependencyCycle":
            told.set()

    def create(name: str, **spec: Any) -> None:
        body = {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, "metadata": {"name": name}}
        api.create(BATCH_JOB, workloads.NAMESPACE, {**body, "spec": {"template": template(), **spec}}, user="user")

    async with (
        Simulator(api) as server,
        submitter(server.url) as rest,
        unharmed_at(server.url, rest, tmp_path) as operator,
    ):
        for number in range(jobs):
            create(f"job-{number}", dependsOn=[{"name": f"job-{(number + 1) % jobs}"}])
            if number % 50 == 0:
                await asyncio.sleep(0)
        api.table(BATCH_JOB).listeners.append(look)
        await asyncio.wait_for(told.wait(), 100)
        async with server.away():
            api.delete(BATCH_JOB, Key(workloads.NAMESPACE, "job-7"), DeleteOptions(), user="user")
            api.table(BATCH_JOB).compact()
        create("last")
        await operator.until("last", lambda status: status.get("phase") == "Succeeded")


async def test_s21_records_of_eleven_thousand_ranges() -> None:
    size = 22_000
    done = IndexSet.of_ranges((number, number) for number in range(0, size, 2))
    async with unharmed() as operator:
        for name in ("one", "two"):
            array = {"size": size, "parallelism": 20, "successPolicy": {"count": len(done) + 60}}
            await operator.submit(name, {"suspend": True, "array": array, "template": template()})
            await operator.until(name, lambda status: status.get("phase") == "Suspended")
            record = {"succeeded": len(done), "failed": 0, "succeededIndexes": str(done)}
            status = {"array": record, "progress": f"{len(done)}/{size}", "attemptCount": len(done)}
            await operator.change(name, {"status": status}, subresource="/status")
            await operator.change(name, {"spec": {"suspend": False}})
        for name in ("one", "two"):
            await operator.until(name, lambda status: status.get("phase") == "Succeeded")


def deep(opening: bytes, closing: bytes) -> bytes:
    """Return a list of values that are nested as deeply as the API server lets in."""
    value = opening * 900 + b"1" + closing * 900
    return b"[" + b",".join([value] * (100_000 // len(value))) + b"]"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(deep(b'{"a":', b"}"), id="S22 deep objects"),
        pytest.param(deep(b"[", b"]"), id="S22 deep lists"),
        pytest.param(b"[" + b",".join([b"{}"] * 80_000) + b"]", id="S22 objects without number"),
    ],
)
async def test_s22_templates_that_take_long_to_decode(value: bytes) -> None:
    spec = b'{"template":{"spec":{"containers":[{"name":"main","image":"busybox:1"}],"odd":' + value + b"}}}"
    async with unharmed() as operator:
        for number in range(60):
            await operator.submit(f"odd-{number}", spec)
        await operator.submit("good", {"template": template()})
        await operator.until("good", lambda status: status.get("phase") == "Succeeded")
        await operator.until("odd-59", lambda status: bool(status.get("phase")))
