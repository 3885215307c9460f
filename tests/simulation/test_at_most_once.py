"""AtMostOnce in the running engine: which answers let a creation be made again, and what is given up instead."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from podwright.core.accounting import Accounting
from podwright.core.constants.names import pod_name
from podwright.core.values.ref import Ref
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import Ambiguous, ApiResponse, Unsent
from podwright.runtime.lines import QUOTA
from podwright.runtime.writer import Send
from podwright.store import expectations
from tests.simulation.world import World, started_world, until
from tests.support.simulator.admission import Operation, Request
from tests.support.simulator.errors import forbidden
from tests.support.simulator.kinds import BATCH_JOB, NAMESPACE, POD
from tests.support.simulator.storage import Key

ONCE: dict[str, Any] = {"deliveryMode": "AtMostOnce"}
JOBS = {"one": "default", "two": "other"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with started_world() as running:
        yield running


def creations(world: World) -> int:
    return sum(request.method == "POST" for request in world.writes)


async def test_a_job_takes_one_write_more(world: World) -> None:
    world.submit(**ONCE)
    await until(world.is_over)
    assert [request.method for request in world.writes] == ["PATCH", "POST", "PATCH", "PATCH"]
    status = world.status()
    assert (status["phase"], status["attemptCount"]) == ("Succeeded", 1)


async def test_a_failure_is_final(world: World) -> None:
    world.submit(script={"exit-code": "3"}, **ONCE)
    await until(world.is_over)
    status = world.status()
    assert (status["phase"], status["reason"], status["attemptCount"]) == ("Failed", "Error", 1)


@pytest.mark.parametrize("path", ["status", "pods"])
@pytest.mark.parametrize(
    "failure",
    [
        Unsent("no connection"),
        ApiResponse(429, b"", retry_after=0.05),
        ApiResponse(403, b'{"kind":"Status","code":403,"reason":"Forbidden","message":"exceeded quota"}'),
    ],
    ids=["unsent", "429", "quota"],
)
async def test_what_was_surely_not_done_is_done_again(world: World, path: str, failure: Any) -> None:
    failed: list[str] = []

    async def fail_once(request: ApiRequest, send: Send) -> ApiResponse:
        if request.path.endswith(path) and not failed:
            failed.append(request.path)
            if isinstance(failure, ApiResponse):
                return failure
            raise failure
        return await send(request)

    world.fault = fail_once
    world.submit(**ONCE)
    await until(world.is_over, seconds=20)
    assert (world.status()["phase"], world.status()["attemptCount"], len(failed)) == ("Succeeded", 1, 1)


@pytest.mark.parametrize("path", ["status", "pods"])
@pytest.mark.parametrize("failure", [Ambiguous("no answer"), ApiResponse(504, b"")], ids=["no answer", "504"])
async def test_a_write_that_was_done_without_an_answer_is_not_repeated(world: World, path: str, failure: Any) -> None:
    lost: list[str] = []

    async def lose_once(request: ApiRequest, send: Send) -> ApiResponse:
        answer = await send(request)
        if request.path.endswith(path) and not lost:
            lost.append(request.path)
            if isinstance(failure, ApiResponse):
                return failure
            raise failure
        return answer

    world.fault = lose_once
    world.submit(**ONCE)
    await until(world.is_over, seconds=20)
    assert (world.status()["phase"], world.status()["attemptCount"], creations(world)) == ("Succeeded", 1, 1)


async def test_a_creation_that_may_take_effect_is_waited_for_and_then_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expectations, "REQUEST_LIFE", 0.6)

    async def lose_creations(request: ApiRequest, send: Send) -> ApiResponse:
        if request.method == "POST":
            raise Ambiguous("no answer")
        return await send(request)

    world.fault = lose_creations
    world.submit(**ONCE)
    await until(lambda: creations(world) == 1)
    await asyncio.sleep(0.3)
    assert world.status()["phase"] == "Pending"
    await until(world.is_over)
    status = world.status()
    assert (status["phase"], status["reason"], creations(world)) == ("Failed", "MayHaveRun", 1)
    assert [a["outcome"] for a in status["attempts"]] == ["Lost"]


async def test_a_creation_that_takes_effect_late_is_adopted(world: World) -> None:
    arrived: list[ApiRequest] = []

    async def late(request: ApiRequest, send: Send) -> ApiResponse:
        if request.method == "POST":
            arrived.append(request)
            raise Ambiguous("no answer")
        return await send(request)

    world.fault = late
    world.submit(**ONCE)
    await until(lambda: len(arrived) == 1)
    await asyncio.sleep(0.2)
    await world.engine_send(arrived[0])
    await until(world.is_over)
    assert (world.status()["phase"], creations(world)) == ("Succeeded", 1)


async def test_waiting_for_quota_leaves_no_intent_behind(world: World) -> None:
    full = True

    def quota(request: Request) -> None:
        if full and request.kind is POD and request.operation is Operation.CREATE:
            raise forbidden("pods", request.name, "exceeded quota: one")

    world.api.rules.append(quota)
    world.submit(**ONCE)
    await until(lambda: world.status().get("reason") == "QuotaExceeded" and not world.status()["attempts"])
    full = False
    await until(world.is_over)
    assert (world.status()["phase"], world.status()["attemptCount"]) == ("Succeeded", 1)


async def test_a_taken_name_fails_the_job_without_a_start(world: World) -> None:
    uid = world.submit(suspend=True, **ONCE)
    name = pod_name(job_name="job", job_uid=uid, task_index=0, attempt=0)
    container = {"name": "main", "image": "busybox:1"}
    squatter = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}
    world.api.create(POD, "default", squatter, user="user")
    world.edit(suspend=False)
    await until(lambda: "finishTime" in world.status())
    assert (world.status()["phase"], world.status()["reason"]) == ("Failed", "NameCollision")


async def test_an_intent_that_another_process_left_is_given_up(world: World) -> None:
    """As after a crash between the intent and the creation: the process knows nothing of what its predecessor asked for."""
    uid = world.submit(suspend=True, **ONCE)
    await until(lambda: world.status().get("phase") == "Suspended")
    name = pod_name(job_name="job", job_uid=uid, task_index=0, attempt=0)
    world.set_status(phase="Pending", attempts=[{"number": 0, "podName": name}])
    world.edit(suspend=False)
    await until(world.is_over)
    status = world.status()
    assert (status["phase"], status["reason"], creations(world)) == ("Failed", "MayHaveRun", 0)
    assert Key("default", name) not in world.api.table(POD).objects


async def intents_of_a_former_leader(world: World) -> None:
    """Have two jobs, of two namespaces, whose intents are on record and whose pods are not there, when a term begins."""
    world.api.create(NAMESPACE, "", {"metadata": {"name": "other"}}, user="system:admin")
    world.terms.current, term = None, world.terms.current
    for name, namespace in JOBS.items():
        uid = world.submit(name, namespace=namespace, **ONCE)
        intent = {"number": 0, "podName": pod_name(job_name=name, job_uid=uid, task_index=0, attempt=0)}
        status = {"phase": "Pending", "reason": "Starting", "observedGeneration": 1, "attempts": [intent]}
        key = Key(namespace, name)
        job = {**world.api.get(BATCH_JOB, key).document, "status": status}
        world.api.update(BATCH_JOB, key, lambda _, job=job: job, user="former leader", subresource="status")  # type: ignore[misc]  # a bound loop variable
    await until(
        lambda: [job.status.phase for uid in world.store.uids() if (job := world.store.job(uid))] == ["Pending"] * 2
    )
    world.terms.current = term
    world.engine.mark_all()


async def test_each_of_two_intents_without_a_pod_is_given_up(world: World) -> None:
    """Their pods have no uids; yet what became of one is booked on its own job, though the other's status is never written."""
    held: list[str] = []

    async def hold_the_first(request: ApiRequest, send: Send) -> ApiResponse:
        if request.method == "PATCH" and not held:
            held.append(request.path)
        if request.path in held:
            await asyncio.Event().wait()
        return await send(request)

    world.fault = hold_the_first
    await intents_of_a_former_leader(world)

    def ended() -> list[dict[str, Any]]:
        statuses = [world.api.get(BATCH_JOB, Key(JOBS[name], name)).document["status"] for name in JOBS]
        return [status for status in statuses if "finishTime" in status]

    await until(lambda: bool(ended()))
    assert [(status["reason"], status["attempts"][0].get("podUID")) for status in ended()] == [("MayHaveRun", None)]


async def test_a_read_that_changes_nothing_is_not_repeated_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    async def read_nothing(ref: Ref, **child: Any) -> None:
        reads.append(ref.uid)

    monkeypatch.setattr(world.controller.reads, "read_child", read_nothing)
    await intents_of_a_former_leader(world)
    await until(lambda: len(reads) >= 4)
    await asyncio.sleep(1.0)
    assert len(reads) < 40, "ever longer pauses"


@pytest.mark.parametrize("lost", ["refused", "unsent"])
async def test_d26_an_edit_between_intent_and_pods_makes_no_task_one_that_may_have_run(world: World, lost: str) -> None:
    full = True
    overtaken: list[str] = []

    def quota(request: Request) -> None:
        if full and request.kind is POD and request.operation is Operation.CREATE:
            raise forbidden("pods", request.name, "exceeded quota: one")

    async def edit_first(request: ApiRequest, send: Send) -> ApiResponse:
        if request.path.endswith("status") and creations(world) and not overtaken:
            overtaken.append(request.path)
            if lost == "unsent":
                raise Unsent("no connection")
            world.edit(priority=7)
            answer = await send(request)
            assert answer.status == 409
            return answer
        return await send(request)

    world.api.rules.append(quota)
    world.fault = edit_first
    world.submit(array={"size": 4, "parallelism": 4}, **ONCE)
    await until(lambda: bool(overtaken) and world.status().get("reason") == "QuotaExceeded", seconds=20)
    full = False
    await until(world.is_over, seconds=30)
    status = world.status()
    assert (status["phase"], status["progress"]) == ("Succeeded", "4/4")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(ONCE, ("Failed", 1), id="a job that must not run twice"),
        pytest.param({**ONCE, "array": {"size": 1}}, ("Failed", 1), id="a task that must not run twice"),
        pytest.param({}, ("Succeeded", 2), id="a job that may run twice"),
    ],
)
async def test_a_pod_whose_name_was_taken_and_is_free_again_may_have_been_ours(
    spec: dict[str, Any], expected: tuple[str, int]
) -> None:
    """As when a proxy repeats the request, and the pod has run and was deleted before it is read; in Bulk nothing holds it."""
    asked: list[str] = []

    async def exists_already(request: ApiRequest, send: Send) -> ApiResponse:
        if request.method == "POST":
            asked.append(request.path)
            if len(asked) == 1:
                body = {"kind": "Status", "code": 409, "reason": "AlreadyExists", "message": 'pods "x" already exists'}
                return ApiResponse(409, json.dumps(body).encode())
        return await send(request)

    async with started_world(accounting=Accounting.BULK) as world:
        world.fault = exists_already
        world.submit(**spec)
        await until(world.is_over)
        assert (world.status()["phase"], len(asked)) == expected


async def test_a_job_keeps_its_place_in_line_for_quota_while_it_records_its_intent(world: World) -> None:
    room = 0
    started: list[str] = []

    async def quota(request: ApiRequest, send: Send) -> ApiResponse:
        if request.method != "POST":
            await asyncio.sleep(0.1)  # so that others would have gone ahead
            return await send(request)
        live = sum(pod["status"].get("phase") not in ("Succeeded", "Failed") for pod in world.pod_objects())
        if live >= room:
            body = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "exceeded quota: one"}
            return ApiResponse(403, json.dumps(body).encode())
        answer = await send(request)
        started.append(json.loads(request.body or b"")["metadata"]["name"].rsplit("-", 3)[0])
        return answer

    world.fault = quota
    uid = world.submit("once", script={"duration": "300ms"}, **ONCE)
    await until(lambda: world.status("once").get("reason") == "QuotaExceeded")
    for number in range(8):
        world.submit(f"other-{number}", script={"duration": "300ms"})
        await until(lambda number=number: world.status(f"other-{number}").get("reason") == "QuotaExceeded")  # type: ignore[misc]
    line = world.engine._lines._lines["default"][QUOTA]
    await until(lambda: next(iter(line.waiting)).uid == uid and not line.asked, seconds=60)
    room = 1
    await until(lambda: len(started) == 9, seconds=60)
    assert started[0] == "once", started
