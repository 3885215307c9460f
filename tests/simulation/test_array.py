"""Arrays from submission to the end against the simulated API server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from podwright.core.constants.names import parse_pod_name
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import Ambiguous, ApiResponse
from podwright.runtime.writer import Send
from tests.simulation.world import World, decoded, started_world, until
from tests.support.simulator.admission import Operation, Request
from tests.support.simulator.deletion import DeleteOptions
from tests.support.simulator.errors import forbidden
from tests.support.simulator.kinds import POD
from tests.support.simulator.storage import Key

# Admission that is final at once; a policy's denial is asked again for a minute.
LIMIT_RANGE = "maximum memory usage per Container is 100Mi, but limit is 128Mi"
QUICK_RETRY = {"limit": 2, "initial": "10ms", "max": "10ms"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with started_world() as running:
        yield running


def created(world: World) -> Counter[tuple[int, int] | None]:
    """Count the pods that were asked for, by index and attempt."""
    return Counter(
        parse_pod_name(decoded(request)["metadata"]["name"])
        for request in world.writes
        if request.method == "POST" and request.path.endswith("/pods")
    )


async def test_every_task_runs_once(world: World) -> None:
    world.submit(array={"size": 300, "parallelism": 50})
    await until(world.is_over, seconds=30)
    status = world.status()
    assert (status["phase"], status["reason"], status["progress"]) == ("Succeeded", "Completed", "300/300")
    assert (status["array"]["succeeded"], status["array"]["succeededIndexes"]) == (300, "0-299")
    assert status.get("attempts", []) == []
    assert created(world) == Counter({(index, 0): 1 for index in range(300)})
    assert len([r for r in world.writes if r.path.endswith("/status")]) <= 0.05 * 300
    released = Counter(r.path for r in world.writes if r.method == "PATCH" and not r.path.endswith("/status"))
    assert released.total() == len(released) == 300, "each pod is let go of once"


async def test_no_more_pods_at_once_than_parallelism_allows(world: World) -> None:
    most = 0

    async def watch(request: ApiRequest, send: Send) -> ApiResponse:
        nonlocal most
        answer = await send(request)
        live = sum(pod["status"]["phase"] in ("Pending", "Running") for pod in world.pod_objects())
        most = max(most, live)
        return answer

    world.fault = watch
    world.submit(array={"size": 8, "parallelism": 4}, script={"duration": "1500ms"})
    await until(world.is_over, seconds=30)
    assert most == 4


async def test_failed_tasks_are_retried_alone_and_named(world: World) -> None:
    world.submit(array={"size": 5}, script={"exit-code": "3"}, retry=QUICK_RETRY)
    await until(world.is_over, seconds=30)
    status = world.status()
    assert (status["phase"], status["reason"]) == ("DeadLettered", "TasksFailed")
    assert status["message"] == "5 tasks failed: 0-4"
    assert (status["array"]["failed"], status["array"]["failedIndexes"]) == (5, "0-4")
    assert created(world) == Counter({(index, attempt): 1 for index in range(5) for attempt in range(3)})
    assert (status["failedCount"], status["attemptCount"]) == (15, 15)
    assert {(a["exitCode"], a["outcome"]) for a in status["attempts"]} == {(3, "Failed")}


async def test_too_many_failures_stop_the_others(world: World) -> None:
    world.submit(
        array={"size": 60, "parallelism": 10, "maxFailedTasks": "5%"}, script={"exit-code": "1"}, retry={"limit": 0}
    )
    await until(world.is_over, seconds=30)
    status = world.status()
    assert (status["phase"], status["reason"]) == ("Failed", "TooManyFailedTasks")
    assert 4 <= status["array"]["failed"] <= 60


async def test_enough_successes_end_the_job_and_its_other_tasks(world: World) -> None:
    world.kubelet.pause()
    world.submit(array={"size": 6, "successPolicy": {"indexes": "0-2", "count": 2}})
    await until(lambda: len(world.pod_objects()) == 6)
    names = {parse_pod_name(pod["metadata"]["name"]): pod["metadata"]["name"] for pod in world.pod_objects()}
    for index in (5, 2):
        world.end_pod(names[index, 0], exit_code=0)
    await asyncio.sleep(0.3)
    assert world.status().get("phase") != "Succeeded"
    world.end_pod(names[0, 0], exit_code=0)
    world.kubelet.resume()
    await until(world.is_over, seconds=30)
    status = world.status()
    assert status["phase"] == "Succeeded"
    assert status["array"]["succeededIndexes"].startswith("0")


async def test_sequential_tasks_wait_for_each_other(world: World) -> None:
    world.submit(array={"size": 4, "sequential": True}, script={"duration": "10ms"})
    await until(world.is_over, seconds=30)
    order = [parse_pod_name(decoded(r)["metadata"]["name"]) for r in world.writes if r.path.endswith("/pods")]
    assert order == [(index, 0) for index in range(4)]
    assert world.status()["phase"] == "Succeeded"


async def test_only_named_tasks_run(world: World) -> None:
    world.submit(array={"size": 100, "indexes": "3,90-91"})
    await until(world.is_over, seconds=30)
    assert created(world) == Counter({(3, 0): 1, (90, 0): 1, (91, 0): 1})
    assert world.status()["progress"] == "3/3"


async def test_cancelling_ends_all_pods_and_starts_no_more(world: World) -> None:
    world.submit(array={"size": 50, "parallelism": 5}, script={"duration": "forever"})
    await until(lambda: len(world.pod_objects()) == 5)
    world.edit(cancel="Graceful")
    await until(world.is_over, seconds=30)
    status = world.status()
    assert (status["phase"], status["array"]["succeeded"], status["array"]["failed"]) == ("Cancelled", 0, 0)
    assert created(world) == Counter({(index, 0): 1 for index in range(5)})


async def test_a_suspended_array_goes_on_where_it_was(world: World) -> None:
    world.submit(array={"size": 3, "parallelism": 3}, script={"duration": "forever"})
    await until(lambda: len(world.pod_objects()) == 3)
    world.edit(suspend=True)
    await until(lambda: world.status().get("phase") == "Suspended" and not world.held())
    world.kubelet.pause()
    world.edit(suspend=False)

    def of_second_attempts() -> list[str]:
        found = [str(pod["metadata"]["name"]) for pod in world.pod_objects()]
        return [name for name in found if (parse_pod_name(name) or (0, 0))[1] == 1]

    # Stored, not just asked for: one that comes later would never end.
    await until(lambda: len(of_second_attempts()) == 3)
    for name in of_second_attempts():
        world.end_pod(name, exit_code=0)
    await until(world.is_over, seconds=30)
    assert created(world) == Counter({(i, n): 1 for i in range(3) for n in range(2)})
    assert (world.status()["phase"], world.status().get("failedCount", 0)) == ("Succeeded", 0)


async def test_an_ambiguous_creation_makes_no_second_pod(world: World) -> None:
    lost = 0

    async def lose_answers(request: ApiRequest, send: Send) -> ApiResponse:
        nonlocal lost
        answer = await send(request)
        if request.path.endswith("/pods") and request.method == "POST" and lost < 5:
            lost += 1
            raise Ambiguous("the answer was lost")
        return answer

    world.fault = lose_answers
    world.submit(array={"size": 20, "parallelism": 10})
    await until(lambda: world.status().get("array", {}).get("succeeded") == 20, seconds=30)
    assert len(world.pod_objects()) == 20


async def test_a_refused_quota_delays_without_counting(world: World) -> None:
    refused = 0

    def refuse(request: Request) -> None:
        nonlocal refused
        is_creation = request.operation is Operation.CREATE and request.kind is POD
        if is_creation and len(world.pod_objects()) >= 4 and refused < 12:
            refused += 1
            raise forbidden("pods", request.name, "exceeded quota: q, used: pods=4")

    world.api.rules.append(refuse)
    world.kubelet.pause()
    world.submit(array={"size": 8})
    await until(lambda: world.status().get("reason") == "QuotaExceeded", seconds=30)
    assert world.status()["phase"] == "Pending"
    assert refused <= 8, "a refused array must not ask hotly"
    refused = 12
    world.kubelet.resume()
    await until(world.is_over, seconds=40)
    assert (world.status()["phase"], world.status().get("failedCount", 0)) == ("Succeeded", 0)


async def test_a_quota_that_allows_nothing_at_all_is_told(world: World) -> None:
    """There is no pod then whose age could say when it is time to tell."""
    full = True

    def refuse(request: Request) -> None:
        if full and request.operation is Operation.CREATE and request.kind is POD:
            raise forbidden("pods", request.name, "exceeded quota: q, used: pods=0")

    world.api.rules.append(refuse)
    world.submit(array={"size": 3})
    await until(lambda: world.status().get("reason") == "QuotaExceeded")
    assert (world.status()["phase"], world.status()["attemptCount"]) == ("Pending", 0)
    assert "exceeded quota: q" in world.status()["message"]
    full = False
    await until(world.is_over, seconds=30)
    assert (world.status()["phase"], world.status()["attemptCount"]) == ("Succeeded", 3)


async def test_a_vanished_pod_is_lost_and_replaced(world: World) -> None:
    world.kubelet.pause()
    world.submit(array={"size": 2}, retry=QUICK_RETRY)
    await until(lambda: len(world.pod_objects()) == 2)
    victim = min(pod["metadata"]["name"] for pod in world.pod_objects())
    world.api.update(
        POD,
        Key("default", victim),
        lambda pod: {**pod, "metadata": {**pod["metadata"], "finalizers": []}},
        user="user",
        subresource="",
        by_put=False,
    )
    world.api.delete(POD, Key("default", victim), DeleteOptions(), user="user")
    await until(lambda: Key("default", victim) not in world.api.table(POD).objects)
    world.kubelet.resume()
    await until(world.is_over, seconds=30)
    assert (world.status()["phase"], world.status()["array"]["succeeded"]) == ("Succeeded", 2)
    lost = parse_pod_name(victim)
    assert created(world)[lost] == 1, "a pod that may have run is not created again under its number"


async def test_a_forbidden_pod_fails_the_array_in_the_servers_words(world: World) -> None:
    def refuse(request: Request) -> None:
        if request.kind is POD and request.operation is Operation.CREATE:
            raise forbidden("pods", request.name, LIMIT_RANGE)

    world.api.rules.append(refuse)
    world.submit(array={"size": 1000, "parallelism": 10})
    await until(world.is_over, seconds=30)
    assert (world.status()["phase"], world.status()["reason"]) == ("Failed", "PodRejected")
    assert LIMIT_RANGE in world.status()["message"]
    assert sum(created(world).values()) <= 20


async def test_pods_whose_owner_reference_is_taken_away_are_still_the_jobs(world: World) -> None:
    world.kubelet.pause()
    world.submit(array={"size": 2})
    await until(lambda: len(world.pod_objects()) == 2)
    for pod in world.pod_objects():
        name = pod["metadata"]["name"]
        world.api.update(
            POD,
            Key("default", name),
            lambda pod: {**pod, "metadata": {**pod["metadata"], "ownerReferences": []}},
            user="user",
            subresource="",
            by_put=False,
        )
        world.end_pod(name, exit_code=0)
    await until(world.is_over, seconds=10)
    assert (world.status()["phase"], world.status()["attemptCount"]) == ("Succeeded", 2)


async def test_a_lasting_refusal_of_one_pod_is_the_reason_although_others_were_created(world: World) -> None:
    world.kubelet.pause()

    def refuse(request: Request) -> None:
        if request.kind is POD and request.operation is Operation.CREATE and request.name.endswith("-3-0"):
            raise forbidden("pods", request.name, LIMIT_RANGE)

    world.api.rules.append(refuse)
    world.submit(array={"size": 5})
    # Pods without a node go at once, so that Stopping may be over before it is seen.
    await until(lambda: world.status().get("phase") in ("Stopping", "Failed"), seconds=30)
    world.kubelet.resume()
    await until(world.is_over, seconds=30)
    assert (world.status()["phase"], world.status()["reason"]) == ("Failed", "PodRejected")
