"""Tenants whose jobs are refused, held back or never end: nobody else waits, and they themselves lose no more than they must."""

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from podwright.core.constants.names import LABEL_JOB_UID
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import Ambiguous, ApiResponse
from podwright.runtime import feeds
from podwright.runtime.bounded_log import BoundedLog
from podwright.runtime.writer import Send
from tests.simulation.world import World, started_world, until
from tests.support.simulator.admission import Operation, Request
from tests.support.simulator.errors import forbidden
from tests.support.simulator.kinds import BATCH_JOB, NAMESPACE, POD
from tests.support.virtual_time import in_virtual_time


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with started_world() as running:
        yield running


def status(code: int, reason: str, message: str) -> ApiResponse:
    """Build what the API server answers when it refuses."""
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return ApiResponse(code, json.dumps(body).encode())


def live_pods(world: World) -> int:
    return sum(pod["status"].get("phase") not in ("Succeeded", "Failed") for pod in world.pod_objects())


async def test_s9_an_array_keeps_its_place_while_it_reports_progress(world: World) -> None:
    """Each of its status writes changed the snapshot that its waiting creations were decided on."""

    async def slow(request: ApiRequest, send: Send) -> ApiResponse:
        await asyncio.sleep(0.02)
        return await send(request)

    world.fault = slow
    world.submit("array", script={"duration": "200ms"}, array={"size": 60, "parallelism": 20})
    for number in range(300):
        world.submit(f"other-{number}", script={"duration": "1h"})
    await until(lambda: world.is_finished("array"), seconds=40)
    overtaken = world.metrics.registry.get_sample_value(
        "podwright_api_writes_total", {"command": "CreatePod", "result": "Overtaken"}
    )
    assert (overtaken or 0) <= 10


async def test_s16_updates_that_wait_are_not_polled(world: World) -> None:
    release = asyncio.Event()

    async def hold_creations(request: ApiRequest, send: Send) -> ApiResponse:
        if request.method == "POST":
            await release.wait()
        return await send(request)

    world.fault = hold_creations
    for number in range(60):
        world.submit(f"busy-{number}")
    await asyncio.sleep(0.3)
    for number in range(200):
        world.submit(f"delayed-{number}", startAt="2099-01-01T00:00:00Z")
    await asyncio.sleep(4.0)
    before = world.metrics.registry.get_sample_value("podwright_decisions_total") or 0
    await asyncio.sleep(2.0)
    after = world.metrics.registry.get_sample_value("podwright_decisions_total") or 0
    assert after - before < 50
    release.set()
    await until(lambda: all(world.status(f"delayed-{number}").get("reason") == "Delayed" for number in range(200)))


class Quota:
    """Lets so many pods in at once; the place of one that has ended is free some time later, as with Kubernetes' controller."""

    def __init__(self, world: World, *, pods: int, lag: float) -> None:
        self._world, self._pods, self._lag = world, pods, lag
        self._ended_at: dict[str, float] = {}
        self.used: list[int] = []
        self.usable: list[int] = []
        world.api.rules.append(self._admit)

    async def watch(self, *, size: int) -> None:
        """Count again and again, from when the quota is full, the places that are in use, and those that could be."""
        while len(self._world.pod_objects()) < size:
            live, late = self._counts()
            if live == self._pods or self.used:
                self.used.append(live)
                self.usable.append(self._pods - late)
            await asyncio.sleep(0.01)

    def _counts(self) -> tuple[int, int]:
        """Return how many pods live, and the places of how many are not free yet although they ended."""
        for pod in self._world.pod_objects():
            if pod["status"].get("phase") in ("Succeeded", "Failed"):
                self._ended_at.setdefault(pod["metadata"]["uid"], time.monotonic())
        return live_pods(self._world), sum(time.monotonic() - at < self._lag for at in self._ended_at.values())

    def _admit(self, request: Request) -> None:
        if request.kind is not POD or request.operation is not Operation.CREATE:
            return
        if sum(self._counts()) >= self._pods:
            amounts = f"requested: pods=1, used: pods={self._pods}, limited: pods={self._pods}"
            raise forbidden("pods", request.name, f"exceeded quota: few, {amounts}")


@pytest.mark.parametrize("lag", [pytest.param(0.02, id="freed at once"), pytest.param(0.2, id="freed late")])
@in_virtual_time
async def test_b15_a_full_quota_is_kept_busy_by_few_requests(lag: float) -> None:
    size, pods = 100, 10

    async def answer_late(request: ApiRequest, send: Send) -> ApiResponse:
        await asyncio.sleep(0.01)
        return await send(request)

    async with started_world() as world:
        world.fault = answer_late
        quota = Quota(world, pods=pods, lag=lag)
        watching = asyncio.create_task(quota.watch(size=size))
        world.submit("array", script={"duration": "1500ms"}, array={"size": size, "parallelism": size})
        await until(lambda: "finishTime" in world.status("array"), seconds=60)
        watching.cancel()
        await until(lambda: world.is_over("array"))
        assert len(world.writes) <= 3 * size, Counter(request.method for request in world.writes)
        assert sum(quota.used) >= 0.88 * sum(quota.usable)


async def test_b15_many_single_jobs_share_one_probe(world: World) -> None:
    room = 0

    async def refuse(request: ApiRequest, send: Send) -> ApiResponse:
        if request.method == "POST" and live_pods(world) >= room:
            return status(403, "Forbidden", 'pods "p" is forbidden: exceeded quota: few')
        return await send(request)

    world.fault = refuse
    for number in range(100):
        world.submit(f"job-{number}", script={"duration": "50ms"})
    await until(lambda: all(world.status(f"job-{n}").get("reason") == "QuotaExceeded" for n in range(100)), seconds=20)
    before = sum(request.method == "POST" for request in world.writes)
    await asyncio.sleep(4.0)
    assert sum(request.method == "POST" for request in world.writes) - before <= 8
    room = 10
    await until(lambda: all("finishTime" in world.status(f"job-{n}") for n in range(100)), seconds=60)
    assert sum(request.method == "POST" for request in world.writes) <= 300


async def test_b7_a_pod_that_may_not_be_changed_holds_up_only_itself(world: World) -> None:
    refused = True

    async def refuse(request: ApiRequest, send: Send) -> ApiResponse:
        if refused and request.method == "PATCH" and request.path.endswith("-3-0"):
            return status(403, "Forbidden", "ValidatingAdmissionPolicy 'no' denied request: pods may not be changed")
        return await send(request)

    world.fault = refuse
    began = time.monotonic()
    world.submit("array", script={"duration": "2s"}, array={"size": 20, "parallelism": 5}, ttlSecondsAfterFinished=3)
    await until(lambda: world.status("array").get("reason") == "PodChangeRefused", seconds=8)
    assert "-3-0 can't be changed or deleted: ValidatingAdmissionPolicy 'no'" in world.status("array")["message"]
    await until(lambda: world.is_finished("array"), seconds=30)
    assert world.status("array")["reason"] == "Completed", "the end is not hidden by it"
    await until(lambda: not world.exists("array"), seconds=30)
    assert time.monotonic() - began < 20 / 5 * 2.0 + 9.0, "the array was slowed down, or its TTL stopped"
    attempts = sum(request.path.endswith("-3-0") and request.method == "PATCH" for request in world.writes)
    assert attempts <= 8
    refused = False
    await until(lambda: not world.pod_objects(), seconds=40)


async def test_s13_nothing_is_created_while_a_job_is_unreadable(world: World) -> None:
    world.terms.current, term = None, world.terms.current
    world.submit("odd")
    await until(lambda: bool(world.store.uids()))
    world.edit("odd", retry={"limit": 1, "initial": "soon"})
    await asyncio.sleep(0.3)
    world.terms.current = term
    world.engine.mark_all()
    await until(lambda: world.status("odd").get("reason") == "InternalError")
    await asyncio.sleep(0.5)
    assert world.pod_objects() == []
    world.delete_job("odd")
    await until(lambda: not world.store.uids())


async def test_a_report_that_is_answered_after_its_object_is_gone_leaves_nothing_behind(world: World) -> None:
    deleted: list[bool] = []

    async def delete_meanwhile(request: ApiRequest, send: Send) -> ApiResponse:
        answer = await send(request)
        if request.path.endswith("/status") and not deleted:
            deleted.append(True)
            world.delete_job("odd")
            await until(lambda: not world.engine._problems._unreadable)
        return answer

    world.submit("odd", suspend=True)
    await until(lambda: world.status("odd").get("phase") == "Suspended")
    world.fault = delete_meanwhile
    world.edit("odd", retry={"limit": 1, "initial": "soon"})
    await until(lambda: bool(deleted) and not world.store.uids())
    await until(lambda: world.engine._dispatcher._writer.under_way == 0)
    assert world.engine._problems._reported == {}


async def test_s13_pods_of_an_unreadable_job_go_when_it_is_deleted(world: World) -> None:
    world.submit("odd", script={"duration": "1h"})
    await until(lambda: len(world.pod_objects()) == 1)
    world.edit("odd", retry={"limit": 1, "initial": "soon"})
    await until(lambda: world.status("odd").get("reason") == "InternalError")
    world.delete_job("odd")
    await until(lambda: not world.pod_objects())


@pytest.mark.parametrize(
    ("array", "unreadable"),
    [
        pytest.param(False, {"retry": {"limit": 1, "initial": "soon"}}, id="S13 retry"),
        pytest.param(False, {"failurePolicy": {"rules": [{"action": "Guess"}]}}, id="S13 rules"),
        pytest.param(True, {"timeouts": {"total": "soon"}}, id="S13 time limit of an array"),
        pytest.param(True, {"array": {"size": "many"}}, id="S13 array"),
    ],
)
async def test_s13_an_unreadable_job_can_be_cancelled(world: World, unreadable: dict[str, Any], array: bool) -> None:
    spec: dict[str, Any] = {"array": {"size": 3}} if array else {}
    world.submit("odd", script={"duration": "1h"}, **spec)
    await until(lambda: len(world.pod_objects()) == (3 if array else 1))
    world.edit("odd", **unreadable)
    await until(lambda: world.status("odd").get("reason") == "InternalError")
    world.edit("odd", cancel="Immediate")
    await until(lambda: world.status("odd").get("phase") == "Cancelled")
    await until(lambda: not world.held())
    assert not live_pods(world)


async def test_s13_a_job_that_was_never_readable_can_be_cancelled(world: World) -> None:
    world.submit("odd", retry={"limit": 1, "initial": "soon"})
    await until(lambda: world.status("odd").get("reason") == "InternalError")
    world.edit("odd", cancel="Graceful")
    await until(lambda: world.status("odd").get("phase") == "Cancelled")
    assert world.pod_objects() == []


async def test_s23_an_unreadable_job_that_vanishes_during_a_relist_is_forgotten(world: World) -> None:
    world.submit("odd", retry={"limit": 1, "initial": "soon"})
    await until(lambda: world.status("odd").get("reason") == "InternalError")
    problems = world.engine._problems
    assert len(problems.refs()) == 1
    async with world.simulator.away():
        world.delete_job("odd")
        world.submit("another", suspend=True)
        world.api.table(BATCH_JOB).compact()
    await until(lambda: len(world.store.uids()) == 1, seconds=20)
    assert not problems.refs()
    assert not problems._reported


async def test_s20_one_failed_read_discards_no_other(world: World) -> None:
    """Of 16 pods to be confirmed each can be read but one, which fails three times."""
    creations = 0

    async def lose(request: ApiRequest, send: Send) -> ApiResponse:
        nonlocal creations
        if request.method == "POST" and creations < 16:
            creations += 1
            await send(request)
            return ApiResponse(504, b"")
        return await send(request)

    reads: list[str] = []
    world.fault = lose
    former = world.client_send

    async def flaky(request: ApiRequest) -> ApiResponse:
        reads.append(request.path)
        if request.path.endswith("-7-0") and reads.count(request.path) <= 3:
            return ApiResponse(503, b"")
        return await former(request)

    world.controller.reads._send = flaky
    world.submit("array", script={"duration": "100ms"}, array={"size": 16, "parallelism": 16})
    await until(lambda: "finishTime" in world.status("array"), seconds=20)
    assert len([path for path in reads if "/pods/" in path]) <= 16 + 8


async def test_l8_pods_that_belong_to_no_job_are_not_kept(world: World) -> None:
    world.submit("victim", script={"duration": "1h"})
    await until(lambda: len(world.pod_objects()) == 1)
    name = world.pod_objects()[0]["metadata"]["name"]
    for number in range(50):
        world.patch_pod(name, owner_uid=f"u-{number}")
    await asyncio.sleep(0.5)
    assert world.store.counts()[1] <= 1
    assert len(world.engine._queue) == 0


async def test_l8_pods_of_nobody_are_logged_once_per_namespace(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "_log", BoundedLog(logging.getLogger("test")))
    for number in range(50):
        labels = {LABEL_JOB_UID: f"u-{number}"}
        pod = {
            "metadata": {"name": f"phantom-{number}", "labels": labels},
            "spec": {"containers": [{"name": "main", "image": "busybox:1"}]},
        }
        world.api.create(POD, "default", pod, user="tenant")
    world.submit("good")
    await until(lambda: world.is_over("good"))
    assert world.store.counts()[1] <= 1
    assert len([record for record in caplog.records if "marks are those of no job" in record.getMessage()]) == 1


async def test_s4_templates_of_suspended_jobs_are_not_kept_and_are_back_when_they_are_resumed(world: World) -> None:
    array = {"size": 3, "parallelism": 3}
    world.submit("single", suspend=True, script={"duration": "50ms"})
    world.submit("array", suspend=True, array=array, script={"duration": "50ms"})
    world.submit("stopped", script={"duration": "1h"})
    await until(lambda: len(world.pod_objects()) == 1)
    world.edit("stopped", suspend=True)
    await until(
        lambda: all(world.status(name).get("phase") == "Suspended" for name in ("single", "array", "stopped")),
        seconds=40,
    )
    await until(lambda: all(job.template == b"" for uid in world.store.uids() if (job := world.store.job(uid))))
    for name in ("single", "array", "stopped"):
        world.edit(name, suspend=False)
    await until(lambda: world.is_finished("single") and world.is_finished("array"), seconds=20)
    assert {world.status(name)["phase"] for name in ("single", "array")} == {"Succeeded"}
    await until(lambda: live_pods(world) == 1)


MEMORY = """
import asyncio, json, time
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet
from podwright.kube.responses import Ambiguous, ApiResponse
from podwright.runtime.controllers.job_controller import JobController
from podwright.runtime.engine import Engine
from podwright.runtime.flow import AdaptiveLimit
from podwright.runtime.keys import Keys
from podwright.runtime.metrics import Metrics
from podwright.runtime.read_places import ReadPlaces
from podwright.runtime.writer import Writer
from podwright.runtime.leader_term import LeaderTerm
from tests.support.builders import make_job

class LeaderTerms:
    shards = 1
    def term(self, shard):
        return LeaderTerm(shard=0, epoch=1, baseline=0)

async def main():
    sent = 0
    async def send(request):
        nonlocal sent
        sent += 1
        await asyncio.sleep(0.01)
        if request.method == "POST":
            body = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "exceeded quota: few"}
            return ApiResponse(403, json.dumps(body).encode()) if sent % 2 and QUOTA else await asyncio.sleep(3600)
        return ApiResponse(409, b'{"kind":"Status","code":409,"reason":"Conflict","message":"x"}')
    metrics, reads = Metrics(), ReadPlaces()
    engine = Engine(writer=Writer(send=send, limit=AdaptiveLimit()), reads=reads, terms=LeaderTerms(), clock=time.time, metrics=metrics)
    keys = Keys(send=send, namespace="podwright-system")
    jobs = JobController(engine=engine, send=send, reads=reads, keys=keys, clock=time.time)
    engine.register(jobs)
    for number in range(20):
        spec = {"containers": [{"name": "main", "image": "busybox:1", "env": [{"name": "A", "value": "x" * 50_000}]}]}
        jobs.store.put_job(make_job(
            uid=f"uid-{number}", name=f"job-{number}", namespace=f"tenant-{number % 2}", created=time.time(),
            template=json.dumps({"spec": spec}).encode(),
            array=ArraySpec(size=10_000, tasks=IndexSet.up_to(10_000), parallelism=10_000),
        ))
    running = asyncio.create_task(engine.run())
    longest = 0.0
    until = time.monotonic() + 4
    while time.monotonic() < until:
        before = time.thread_time()
        await asyncio.sleep(0.001)
        longest = max(longest, time.thread_time() - before)
    running.cancel()
    # Not getrusage: its peak also holds that of the process which started this one.
    status = open("/proc/self/status").read()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"peak": peak, "longest": longest, "sent": sent, "decisions": metrics.registry.get_sample_value("podwright_decisions_total")}))

asyncio.run(main())
"""


@pytest.mark.parametrize("quota", [False, True], ids=["S4 nothing is answered", "L2 a quota refuses"])
def test_twenty_arrays_of_ten_thousand_do_not_exhaust_the_operator(quota: bool) -> None:
    code = f"QUOTA = {quota}\n{MEMORY}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    assert seen["sent"] > 0
    assert seen["peak"] <= 300, seen
    assert seen["longest"] <= 0.2, seen


@in_virtual_time
async def test_many_namespaces_whose_webhooks_hang_leave_the_others_their_rate() -> None:
    """Good creations take 300 ms each, so that the rate is one of places and not of this machine."""

    async def hang(request: ApiRequest, send: Send) -> ApiResponse:
        if request.method == "POST" and "/bad-" in request.path:
            await asyncio.sleep(8.0)
            return status(500, "InternalError", 'failed calling webhook "w": context deadline exceeded')
        if request.method == "POST":
            await asyncio.sleep(0.3)
        return await send(request)

    async def seconds(world: World, name: str) -> float:
        began = time.monotonic()
        for number in range(160):
            world.submit(f"{name}-{number}", namespace=f"good-{number % 4}", script={"duration": "1h"})
        await until(
            lambda: sum(pod["metadata"]["name"].startswith(name) for pod in world.pod_objects()) == 160, seconds=60
        )
        return time.monotonic() - began

    async with started_world() as world:
        for number in range(4):
            world.api.create(NAMESPACE, "", {"metadata": {"name": f"good-{number}"}}, user="system:admin")
        for number in range(20):
            world.api.create(NAMESPACE, "", {"metadata": {"name": f"bad-{number}"}}, user="system:admin")
        world.fault = hang
        await seconds(world, "warm")
        alone = await seconds(world, "alone")
        for number in range(200):
            world.submit(f"hangs-{number}", namespace=f"bad-{number % 20}")
        await asyncio.sleep(2.5)
        beside = await seconds(world, "beside")
        assert beside <= alone / 0.9


@in_virtual_time
async def test_s4_reads_for_many_jobs_of_a_namespace_leave_the_others_their_places() -> None:
    """The first creation for each job is not answered, so that its pod is read, which takes half a second."""
    unanswered, reads = set[str](), list[str]()

    async def silent(request: ApiRequest, send: Send) -> ApiResponse:
        name = (request.body or b"").partition(b'"name":"')[2].partition(b'"')[0].decode()
        if request.method == "POST" and name not in unanswered:
            unanswered.add(name)
            raise Ambiguous("timeout")
        return await send(request)

    async with started_world() as world:
        for namespace in ("good", "bad"):
            world.api.create(NAMESPACE, "", {"metadata": {"name": namespace}}, user="system:admin")

        async def slow(request: ApiRequest) -> ApiResponse:
            reads.append("good" if "/good/" in request.path else "bad")
            await asyncio.sleep(0.5)
            return await world.client_send(request)

        world.controller.reads._send = slow
        world.fault = silent
        for number in range(300):
            world.submit(f"bad-{number}", namespace="bad", script={"duration": "1h"})
        await until(lambda: len(unanswered) == 300, seconds=60)
        before = len(reads)
        for number in range(8):
            world.submit(f"good-{number}", namespace="good", script={"duration": "1h"})
        await until(lambda: reads.count("good") == 8, seconds=60)
        assert before < 150, "most reads of the others wait"
        assert len(reads) - before <= 8 + 48, "the good jobs wait for those that are under way at most, twice"
