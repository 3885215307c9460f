"""A quota on `count/pods` counts pods that have ended, as claims of their volumes do: with `podSeconds: 0` they go in time."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from podwright.core.accounting import Accounting
from tests.simulation.world import World, started_world, until
from tests.support.simulator.admission import Operation, Request
from tests.support.simulator.errors import forbidden
from tests.support.simulator.kinds import POD

EARLY: dict[str, Any] = {"retention": {"podSeconds": 0}}
QUICK_RETRY = {"limit": 5, "initial": "10ms", "max": "10ms"}


@pytest.fixture(params=list(Accounting))
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with started_world(accounting=request.param) as running:
        yield running


def limit_pods(world: World, most: int) -> None:
    """Refuse a pod while this many exist, ended or not, in the words of the ResourceQuota admission plugin."""

    def refuse(request: Request) -> None:
        if request.kind is POD and request.operation is Operation.CREATE and len(world.pod_objects()) >= most:
            amounts = f"requested: count/pods=1, used: count/pods={most}, limited: count/pods={most}"
            raise forbidden("pods", request.name, f"exceeded quota: objects, {amounts}")

    world.api.rules.append(refuse)


async def test_b34_an_array_ends_although_its_quota_counts_tasks_that_are_over(world: World) -> None:
    limit_pods(world, 2)
    world.submit(array={"size": 6, "parallelism": 2}, **EARLY)
    await until(world.is_over, seconds=60)
    assert (world.status()["phase"], world.status()["progress"]) == ("Succeeded", "6/6")


async def test_b5_a_job_uses_all_its_retries_although_its_quota_counts_attempts_that_are_over(world: World) -> None:
    limit_pods(world, 2)
    world.submit(script={"exit-code": "1"}, retry=QUICK_RETRY, **EARLY)
    await until(world.is_over, seconds=60)
    assert (world.status()["reason"], world.status()["attemptCount"]) == ("RetriesExhausted", 6)


@pytest.mark.parametrize(
    ("spec", "script"),
    [
        pytest.param({"array": {"size": 6, "parallelism": 2}}, {}, id="B5 array"),
        pytest.param({"retry": QUICK_RETRY}, {"exit-code": "1"}, id="B5 single job"),
    ],
)
async def test_b5_who_holds_the_quota_by_pods_that_have_ended_is_told_what_helps_and_it_does(
    world: World, spec: dict[str, Any], script: dict[str, str]
) -> None:
    limit_pods(world, 2)
    world.submit(script=script, **spec)
    await until(lambda: "spec.retention.podSeconds: 0" in world.status().get("message", ""), seconds=30)
    assert (world.status()["reason"], len(world.pod_objects())) == ("QuotaExceeded", 2)
    world.edit(**EARLY)
    await until(world.is_over, seconds=60)
    assert world.status()["attemptCount"] == 6
