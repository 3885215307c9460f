"""F5: the API server is killed, and comes back sooner or later."""

import asyncio

import pytest

from podwright.devcluster import EmbeddedCluster
from tests.faults.scenarios import QUICK_RETRY
from tests.faults.test_leadership import SHORT_LEASE
from tests.faults.world import World
from tests.support.simulator.manifests import job, script

_JOBS = 12


async def submit_many(world: World, namespace: str) -> None:
    """Submit jobs that are in all stages of their lives for the next seconds."""
    for number in range(_JOBS):
        told = script(duration=f"{number * 200}ms", exit_codes="1,0" if number % 3 == 0 else "0")
        await world.submit(namespace, job(f"job-{number}", annotations=told, retry=QUICK_RETRY))


@pytest.mark.parametrize("seconds", [0.3, 4.0], ids=["shorter than the lease", "longer than the lease"])
async def test_api_server_is_away_for_a_while(world: World, seconds: float) -> None:
    """F5, simulated: within the time of the lease the process goes on; past it, a new one starts clean."""
    assert world.simulator is not None
    async with world.deployment(settings=SHORT_LEASE) as operator:
        await world.until_leading(operator)
        namespace = await world.new_namespace()
        await submit_many(world, namespace)
        await asyncio.sleep(0.3)
        async with world.simulator.away():
            await asyncio.sleep(seconds)
        await world.settle(namespace)
        world.check(namespace)
        assert (operator.exit_code is None) == (seconds < 1)


async def test_api_server_killed_with_work_in_all_stages(fault_cluster: EmbeddedCluster, real_world: World) -> None:
    """F5: SIGKILL for the real one, twice; what is under way is finished, and nothing runs twice."""
    world = real_world
    async with world.deployment() as operator:
        await world.until_leading(operator)
        namespace = await world.new_namespace()
        for _ in range(2):
            await asyncio.sleep(0.7)
            if not world.log.present_jobs(namespace):
                await submit_many(world, namespace)
                await asyncio.sleep(0.5)
            await asyncio.to_thread(fault_cluster.restart, "kube-apiserver")
        await world.settle(namespace)
        world.check(namespace)
