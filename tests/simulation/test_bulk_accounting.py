"""Bulk accounting against the simulated API server: no finalizer, a write less, and the same ends as long as somebody watches."""

from collections.abc import AsyncIterator

import pytest

from podwright.core.accounting import Accounting
from tests.simulation.world import World, started_world, until
from tests.support.simulator.deletion import DeleteOptions
from tests.support.simulator.kinds import POD
from tests.support.simulator.storage import Key

QUICK_RETRY = {"limit": 1, "initial": "10ms", "max": "10ms"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with started_world(accounting=Accounting.BULK) as running:
        yield running


def methods(world: World) -> list[str]:
    return [request.method for request in world.writes]


async def test_a_job_takes_two_writes(world: World) -> None:
    world.submit(script={"termination-message": '{"outputs": {"rows": 3}}'})
    await until(world.is_over)
    assert (methods(world), world.status()["outputs"]) == (["POST", "PATCH"], {"rows": 3})


async def test_a_task_of_an_array_takes_one_and_a_share_of_the_records(world: World) -> None:
    world.submit(array={"size": 300, "parallelism": 50})
    await until(world.is_over, seconds=30)
    assert world.status()["progress"] == "300/300"
    assert methods(world).count("POST") == 300
    assert len(world.writes) <= 1.05 * 300


async def test_a_failed_attempt_is_followed_by_another(world: World) -> None:
    world.submit(script={"exit-code": "3"}, retry=QUICK_RETRY)
    await until(world.is_over)
    assert [(a["exitCode"], a["outcome"]) for a in world.status()["attempts"]] == [(3, "Failed"), (3, "Failed")]
    assert methods(world) == ["POST", "PATCH"] * 2


def running(world: World) -> list[str]:
    return [pod["metadata"]["name"] for pod in world.pod_objects() if pod["status"]["phase"] == "Running"]


async def test_a_pod_that_is_deleted_while_somebody_watches_is_judged_as_ever(world: World) -> None:
    world.submit(script={"duration": "forever"}, retry=QUICK_RETRY)
    await until(lambda: bool(running(world)))
    (first,) = running(world)
    world.api.delete(POD, Key("default", first), DeleteOptions(), user="user")
    await until(lambda: bool(running(world)) and running(world) != [first])
    attempt = world.status()["attempts"][0]
    assert (attempt["outcome"], attempt["reason"], attempt["exitCode"]) == ("Failed", "DeletedWhileRunning", 143)


async def test_a_task_whose_pod_is_deleted_while_somebody_watches_is_tried_again(world: World) -> None:
    world.submit(script={"duration": "forever"}, retry=QUICK_RETRY, array={"size": 1})
    await until(lambda: bool(running(world)))
    (first,) = running(world)
    world.api.delete(POD, Key("default", first), DeleteOptions(), user="user")
    await until(lambda: bool(running(world)) and running(world) != [first])
    (group,) = world.status()["array"]["retries"]
    assert (group["indexes"], group["attempts"], group["platform"]) == ("0", 1, 1)


async def test_a_suspended_job_goes_on_with_its_next_attempt(world: World) -> None:
    world.submit(script={"duration": "forever"})
    await until(lambda: bool(running(world)))
    world.edit(suspend=True)
    await until(lambda: world.status().get("phase") == "Suspended")
    (attempt,) = world.status()["attempts"]
    assert (attempt["outcome"], world.status().get("failedCount", 0), world.pod_objects()) == ("Stopped", 0, [])
    world.edit(suspend=False)
    await until(lambda: bool(running(world)))
