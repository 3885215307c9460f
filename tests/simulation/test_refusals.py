"""Pods that the API server refuses, in the running engine: what passes is waited for and explained, what lasts ends the job."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from podwright.core.attempt import refusal
from podwright.core.commands import Command, CreateChild
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import Ambiguous, ApiResponse
from podwright.runtime.leader_term import LeaderTerm
from podwright.runtime.writer import Send
from podwright.store import expectations
from tests.simulation.test_hostile_tenants import status
from tests.simulation.world import World, started_world, until
from tests.support.simulator.admission import Operation, Request
from tests.support.simulator.errors import ApiError, forbidden, internal, invalid
from tests.support.simulator.kinds import BATCH_JOB, POD
from tests.support.virtual_time import in_virtual_time

ErrorOf = Callable[[Request], ApiError]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with started_world() as running:
        yield running


def refuse_pods(world: World, error: ErrorOf) -> None:
    """Let admission refuse every pod."""

    def rule(request: Request) -> None:
        if request.kind is POD and request.operation is Operation.CREATE:
            raise error(request)

    world.api.rules.append(rule)


def forbids(why: str) -> ErrorOf:
    """Refuse by 403 in these words."""
    return lambda request: forbidden("pods", request.name, why)


def fails(why: str) -> ErrorOf:
    """Fail by 500 in these words."""
    return lambda _: internal(why)


@pytest.mark.parametrize("delivery", ["AtLeastOnce", "AtMostOnce"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(
            forbids("no PriorityClass with name nightly was found"), "PriorityClassMissing", id="B21 priority"
        ),
        pytest.param(
            forbids('pod rejected: RuntimeClass "gvisor" not found'), "RuntimeClassMissing", id="B21 runtime class"
        ),
        pytest.param(forbids("admission denied the request: cache not ready"), "PodRejected", id="S8 denial"),
        pytest.param(forbids("failed quota: q: must specify limits.cpu"), "QuotaUnsatisfiable", id="B26 must specify"),
        pytest.param(
            fails('admission plugin "MutatingAdmissionWebhook" failed to complete mutation in 13s'),
            "PodCreationFailed",
            id="B3 mutation takes too long",
        ),
    ],
)
async def test_what_may_pass_is_waited_for_with_its_reason(
    world: World, error: ErrorOf, reason: str, delivery: str
) -> None:
    refuse_pods(world, error)
    world.submit(deliveryMode=delivery)
    await until(lambda: world.status().get("reason") == reason, seconds=5)
    assert (world.status()["phase"], world.status()["attemptCount"]) == ("Pending", 0)
    world.api.rules.pop()
    await until(world.is_over, seconds=15)
    assert world.status()["phase"] == "Succeeded"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(internal("the backend is unwell").body(), id="B3 Status"),
        pytest.param(b"<html>the backend is unwell</html>", id="B3 foreign"),
    ],
)
async def test_b3_a_server_error_is_told_and_makes_no_second_pod(world: World, body: bytes) -> None:
    """The first creation is carried out late, behind the error; it must be found by a read before anything is repeated."""
    carried_out: list[str] = []
    world.submit()

    async def failing(request: ApiRequest, send: Send) -> ApiResponse:
        return ApiResponse(500, body) if request.method == "POST" else await send(request)

    world.fault = failing
    await until(lambda: world.status().get("reason") == "PodCreationFailed", seconds=5)
    assert world.status()["phase"] == "Pending"
    assert "the backend is unwell" in world.status()["message"]

    async def carries_out(request: ApiRequest, send: Send) -> ApiResponse:
        answer = await send(request)
        if request.method != "POST":
            return answer
        carried_out.append(request.path)
        return ApiResponse(500, body)

    world.fault = carries_out
    await until(world.is_over, seconds=20)
    assert world.status()["phase"] == "Succeeded"
    assert len(carried_out) == 1, "a pod that may exist must be read before it is asked for again"


async def test_b3_at_most_once_says_what_its_creation_was_answered_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expectations, "REQUEST_LIFE", 2.0)

    async def failing(request: ApiRequest, send: Send) -> ApiResponse:
        body = internal("the backend is unwell").body()
        return ApiResponse(500, body) if request.method == "POST" else await send(request)

    world.fault = failing
    world.submit(deliveryMode="AtMostOnce")
    await until(lambda: world.status().get("reason") == "PodCreationFailed", seconds=5)
    assert (world.status()["phase"], world.status()["message"]) == ("Pending", "the backend is unwell")
    await until(world.is_over, seconds=15)
    assert (world.status()["phase"], world.status()["reason"]) == ("Failed", "MayHaveRun")
    assert "the backend is unwell" in world.status()["message"]
    assert world.written("POST").count("pods") == 1


async def test_s8_a_denial_that_lasts_is_final_after_its_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusal, "DENIAL_PATIENCE", 0.1)
    monkeypatch.setattr(refusal, "_LONGEST_DENIAL_DELAY", 0.05)
    refuse_pods(world, forbids('violates PodSecurity "restricted:latest"'))
    world.submit()
    await until(world.is_over)
    assert (world.status()["phase"], world.status()["reason"]) == ("Failed", "PodRejected")
    assert 'violates PodSecurity "restricted:latest"' in world.status()["message"]
    assert world.written("POST").count("pods") >= 5


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param(404, "NotFound", id="404"),
        pytest.param(409, "Conflict", id="409"),
        pytest.param(409, "AlreadyExists", id="409 as if it existed"),
    ],
)
async def test_a_webhook_may_deny_with_any_code(world: World, code: int, reason: str) -> None:
    words = 'admission webhook "w.example.com" denied the request: this image is locked'
    refuse_pods(world, lambda _: ApiError(code, reason, words))
    world.submit()
    await until(lambda: world.status().get("reason") == "PodRejected")
    assert world.status()["message"].endswith(words)


async def test_what_an_error_repeats_of_a_template_is_not_taken_for_the_fence(world: World) -> None:
    text = "ValidatingAdmissionPolicy 'podwright-fence'"
    words = f'Pod "a" is invalid: spec.hostAliases[0].ip: Invalid value: "{text}": must be a valid IP address'
    refuse_pods(world, lambda _: ApiError(422, "Invalid", words))
    world.submit()
    await until(world.is_over)
    assert (world.status()["phase"], world.status()["reason"]) == ("Failed", "PodRejected")


async def test_b3_a_pod_that_is_too_large_is_final_at_once(world: World) -> None:
    refuse_pods(world, fails("etcdserver: request is too large"))
    world.submit(deliveryMode="AtMostOnce")
    await until(world.is_over)
    assert (world.status()["phase"], world.status()["reason"]) == ("Failed", "PodRejected")
    assert "request is too large" in world.status()["message"]


async def test_s8_a_page_of_a_proxy_is_no_refusal(world: World) -> None:
    world.submit()

    async def proxy(request: ApiRequest, send: Send) -> ApiResponse:
        if request.method == "POST":
            return ApiResponse(403, b"<html>403 Forbidden</html>")
        return await send(request)

    world.fault = proxy
    await until(lambda: world.status().get("reason") == "PodCreationFailed")
    assert "not a response of the API server" in world.status()["message"]
    world.fault = None
    await until(world.is_over, seconds=15)
    assert world.status()["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("on_exhausted", "phase"), [("DeadLetter", "DeadLettered"), ("Fail", "Failed")], ids=["B18 kept", "B18 not kept"]
)
async def test_more_memory_that_is_refused_is_the_end_of_the_retries(
    world: World, on_exhausted: str, phase: str
) -> None:
    def rule(request: Request) -> None:
        if request.kind is POD and request.operation is Operation.CREATE and request.name.endswith("-1"):
            raise forbidden("pods", request.name, "maximum memory usage per Container is 100Mi, but limit is 128Mi")

    world.api.rules.append(rule)
    container = {"name": "main", "image": "busybox:1", "resources": {"limits": {"memory": "64Mi"}}}
    annotations = {"fake.podwright.dev/exit-code": "137", "fake.podwright.dev/reason": "OOMKilled"}
    world.submit(
        template={"metadata": {"annotations": annotations}, "spec": {"containers": [container]}},
        retry={"limit": 3, "initial": "10ms", "max": "10ms"},
        failurePolicy={"onOutOfMemory": {"factor": "2", "maxMemory": "1Gi"}},
        onExhausted=on_exhausted,
    )
    await until(world.is_over)
    assert (world.status()["phase"], world.status()["reason"]) == (phase, "OOMKilled")
    assert world.status()["message"].startswith("OOMKilled; more memory was refused: ")


@pytest.mark.parametrize(
    ("on_exhausted", "phase"), [("DeadLetter", "DeadLettered"), ("Fail", "Failed")], ids=["B18 kept", "B18 not kept"]
)
async def test_b18_more_memory_that_is_refused_is_the_end_of_the_task(
    world: World, on_exhausted: str, phase: str
) -> None:
    """Of six tasks three run out of memory and may not have more: they are over at once, and the others go on."""
    asked: list[str] = []

    def rule(request: Request) -> None:
        if request.kind is POD and request.operation is Operation.CREATE and request.name.endswith("-1"):
            asked.append(request.name)
            raise forbidden("pods", request.name, "maximum memory usage per Container is 100Mi, but limit is 128Mi")

    world.api.rules.append(rule)
    world.kubelet.pause()
    container = {"name": "main", "image": "busybox:1", "resources": {"limits": {"memory": "64Mi"}}}
    world.submit(
        template={"spec": {"containers": [container]}},
        retry={"limit": 3, "initial": "10ms", "max": "10ms"},
        failurePolicy={"onOutOfMemory": {"factor": "2", "maxMemory": "1Gi"}},
        array={"size": 6, "parallelism": 3},
        onExhausted=on_exhausted,
    )
    await until(lambda: len(world.pod_objects()) == 3)
    killed = {"exitCode": 137, "reason": "OOMKilled"}
    for pod in [each["metadata"]["name"] for each in world.pod_objects()]:
        world.end_pod(pod, exit_code=137, containerStatuses=[{"name": "main", "state": {"terminated": killed}}])
    world.kubelet.resume()
    await until(world.is_over, seconds=20)
    status = world.status()
    assert (status["phase"], status["reason"]) == (phase, "TasksFailed")
    assert (status["array"]["succeededIndexes"], status["array"]["failedIndexes"]) == ("3-5", "0-2")
    assert status["message"].startswith("3 tasks failed: 0-2; OOMKilled; more memory was refused: ")
    refused = [each for each in status["attempts"] if each["number"] == 1]
    assert {each["reason"] for each in refused} == {"OOMKilled"}
    assert all("usage per Container is 100Mi" in each["message"] for each in refused)
    assert (status["attemptCount"], status["outOfMemoryCount"]) == (6, 3)
    assert len(asked) <= 6  # at most once more for each that was under way at once


class Accounts:
    """Lets in pods whose service account exists, as Kubernetes' admission does; counts what is asked for."""

    def __init__(self, world: World) -> None:
        self.existing = {"default"}
        self.asked: list[str] = []
        world.api.rules.append(self._admit)

    def _admit(self, request: Request) -> None:
        if request.kind is not POD or request.operation is not Operation.CREATE:
            return
        self.asked.append(request.name)
        account = (request.document or {}).get("spec", {}).get("serviceAccountName", "default")
        if account not in self.existing:
            words = f'error looking up service account default/{account}: serviceaccount "{account}" not found'
            raise forbidden("pods", request.name, words)


def template_of(account: str) -> dict[str, Any]:
    return {"spec": {"serviceAccountName": account, "containers": [{"name": "main", "image": "busybox:1"}]}}


def all_say(world: World, names: list[str], reason: str) -> bool:
    return all(world.status(name).get("reason") == reason for name in names)


async def test_s10_many_refused_jobs_ask_no_more_often_than_a_few(world: World) -> None:
    """Of 300 each asks once and says why it waits; then they take turns, and the rest of their namespace is not held up."""
    accounts = Accounts(world)
    refused = [f"refused-{number}" for number in range(300)]
    for number, name in enumerate(refused):
        world.submit(name, template=template_of("early" if number % 3 else "late"))
    await until(lambda: all_say(world, refused, "ServiceAccountMissing"), seconds=30)
    assert '"early" not found' in world.status("refused-1")["message"]
    assert '"late" not found' in world.status("refused-0")["message"]
    asked, writes = len(accounts.asked), len(world.writes)
    decisions = world.metrics.registry.get_sample_value("podwright_decisions_total") or 0.0
    began = time.monotonic()
    await asyncio.sleep(4.0)
    world.submit("good")
    await until(lambda: world.is_over("good"))
    turns = 2 * (time.monotonic() - began) + 4.0  # of two lines
    assert len(accounts.asked) - asked <= turns + 1
    assert len(world.writes) - writes <= turns + 3, "a status is written once for each fact"
    assert (world.metrics.registry.get_sample_value("podwright_decisions_total") or 0.0) - decisions <= 100
    accounts.existing.add("early")
    early = [name for number, name in enumerate(refused) if number % 3]
    await until(lambda: all(world.is_over(name) for name in early), seconds=20)
    assert not any(world.is_over(name) for name in refused if name not in early)


async def test_s10_a_new_leader_asks_for_one_of_those_that_are_refused(world: World) -> None:
    accounts = Accounts(world)
    refused = [f"refused-{number}" for number in range(100)]
    for name in refused:
        world.submit(name, template=template_of("late"))
    await until(lambda: all_say(world, refused, "ServiceAccountMissing"), seconds=20)
    asked, began = len(accounts.asked), time.monotonic()
    world.change_leader()
    await asyncio.sleep(2.5)
    assert 1 <= len(accounts.asked) - asked <= time.monotonic() - began + 2.0
    accounts.existing.add("late")
    await until(lambda: all(world.is_over(name) for name in refused), seconds=20)


@pytest.mark.parametrize("running", [pytest.param(False, id="none runs"), pytest.param(True, id="each has a pod")])
async def test_s10_a_new_leader_asks_for_one_of_the_arrays_that_are_refused(world: World, running: bool) -> None:
    """For quota, as without a pod; and what they say of it stays the same."""
    arrays = [f"array-{number}" for number in range(20)]
    have_one, asked = set[str](), 0

    def refuse(request: Request) -> None:
        nonlocal asked
        if request.kind is not POD or request.operation is not Operation.CREATE:
            return
        asked += 1
        owner = (request.document or {})["metadata"]["ownerReferences"][0]["uid"]
        if not running or owner in have_one:
            amounts = "requested: pods=1, used: pods=9, limited: pods=9"
            raise forbidden("pods", request.name, f"exceeded quota: few, {amounts}")
        have_one.add(owner)

    world.api.rules.append(refuse)
    for name in arrays:
        world.submit(name, script={"duration": "1h"}, array={"size": 5, "parallelism": 5})
    await until(lambda: all_say(world, arrays, "QuotaExceeded"), seconds=20)
    await asyncio.sleep(1.5)
    said = {name: world.status(name)["message"] for name in arrays}
    before, began = asked, time.monotonic()
    world.change_leader()
    await asyncio.sleep(2.5)
    assert 1 <= asked - before <= time.monotonic() - began + 2.0, "each would ask for two pods"
    assert {name: world.status(name)["message"] for name in arrays} == said
    world.api.rules.remove(refuse)
    await until(lambda: len(world.pod_objects()) == 100, seconds=20)


async def test_s10_creations_without_an_answer_are_repeated_one_by_one(world: World) -> None:
    """Each of 50 is asked for once, is read, and then waits for its turn."""
    broken, asked = True, 0

    async def silent(request: ApiRequest, send: Send) -> ApiResponse:
        nonlocal asked
        if request.method != "POST":
            return await send(request)
        asked += 1
        if broken:
            raise Ambiguous("timeout")
        return await send(request)

    world.fault = silent
    for number in range(50):
        world.submit(f"job-{number}")
    await until(lambda: asked >= 50)
    began = time.monotonic()
    await asyncio.sleep(8.0)
    assert asked <= 50 + time.monotonic() - began + 3.0
    broken = False
    await until(lambda: all(world.is_over(f"job-{number}") for number in range(50)), seconds=40)


async def test_d11_a_status_that_the_schema_refuses_is_written_without_what_programs_said(world: World) -> None:
    def rule(request: Request) -> None:
        if request.kind is BATCH_JOB and (request.document or {}).get("status", {}).get("outputs"):
            raise invalid("BatchJob", request.name, ("status.outputs", "Too long"))

    world.kubelet.pause()
    world.submit()
    await until(lambda: bool(world.pod_objects()))
    world.api.rules.append(rule)
    terminated = {"exitCode": 0, "reason": "Completed", "message": '{"outputs": {"rows": 3}}'}
    pod = world.pod_objects()[0]["metadata"]["name"]
    world.end_pod(pod, exit_code=0, containerStatuses=[{"name": "main", "state": {"terminated": terminated}}])
    await until(world.is_over, seconds=20)
    assert world.status()["phase"] == "Succeeded"
    assert "outputs" not in world.status()
    assert "were left out" in world.status()["message"]


ACCOUNT = 'pods "p" is forbidden: error looking up service account default/late: serviceaccount "late" not found'
FULL = 'pods "p" is forbidden: exceeded quota: q, requested: requests.cpu={}, used: requests.cpu=9, limited: requests.cpu=10'


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        pytest.param(409, "Conflict", "Operation cannot be fulfilled on resourcequotas: try again", id="409"),
        pytest.param(404, "NotFound", "the server could not find the requested resource", id="404"),
        pytest.param(
            422, "Invalid", "Pod is invalid: \"ValidatingAdmissionPolicy 'podwright-fence'\"", id="the fence's name"
        ),
    ],
)
@in_virtual_time
async def test_s10_one_that_is_refused_unforeseen_does_not_stop_its_line(code: int, reason: str, message: str) -> None:
    """Six jobs wait for an account. It is made when it is the turn of one that is then refused in another way."""
    async with started_world() as world:
        made = False

        async def admit(request: ApiRequest, send: Send) -> ApiResponse:
            if request.method == "POST":
                if not made:
                    return status(403, "Forbidden", ACCOUNT)
                if json.loads(request.body or b"")["metadata"]["name"].startswith("odd"):
                    return status(code, reason, message)
            return await send(request)

        world.fault = admit
        healthy = [f"good-{number}" for number in range(5)]
        for name in ("odd", *healthy):
            world.submit(name, script={"duration": "1h"})
        await until(lambda: all_say(world, ["odd", *healthy], "ServiceAccountMissing"), seconds=30)
        line = next(iter(world.engine._lines._lines["default"].values()))
        uid = world.job("odd")["metadata"]["uid"]
        await until(lambda: next(iter(line.waiting)).uid == uid, seconds=120)
        made = True
        await until(lambda: len(world.pod_objects()) == 5, seconds=60)


@in_virtual_time
async def test_s10_one_that_cannot_be_built_does_not_stop_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    async with started_world() as world:
        free = False

        async def admit(request: ApiRequest, send: Send) -> ApiResponse:
            if request.method == "POST" and not free:
                return status(403, "Forbidden", FULL.format(1))
            return await send(request)

        world.fault = admit
        names = ["odd", *(f"good-{number}" for number in range(5))]
        for name in names:
            world.submit(name, script={"duration": "1h"})
            await until(lambda name=name: all_say(world, [name], "QuotaExceeded"))  # type: ignore[misc]
        request, uid = world.controller.request, world.job("odd")["metadata"]["uid"]

        def build(command: Command, *, term: LeaderTerm) -> ApiRequest:
            if isinstance(command, CreateChild) and command.of.uid == uid:
                raise ValueError("a template that nobody foresaw")
            return request(command, term=term)

        monkeypatch.setattr(world.controller, "request", build)
        free = True
        await until(lambda: len(world.pod_objects()) == 5, seconds=120)


@in_virtual_time
async def test_s10_those_who_ask_for_much_do_not_keep_out_who_asks_for_little() -> None:
    """Quota for small pods becomes free, while a job whose pod is too large for it is submitted every 15 s."""
    async with started_world() as world:
        free = False

        async def admit(request: ApiRequest, send: Send) -> ApiResponse:
            if request.method == "POST":
                large = json.loads(request.body or b"")["metadata"]["name"].startswith("large")
                if large or not free:
                    return status(403, "Forbidden", FULL.format(8 if large else 1))
            return await send(request)

        world.fault = admit
        for number in range(3):
            world.submit(f"small-{number}", script={"duration": "1h"})
        await asyncio.sleep(100.0)
        free = True
        for number in range(20):
            world.submit(f"large-{number}")
            await asyncio.sleep(15.0)
        assert len(world.pod_objects()) == 3
