"""Two operators that both believe to lead, and one that wakes up after its time."""

import asyncio
import random
from pathlib import Path
from typing import Final

import pytest

from tests.faults.actions import Hold, Randomly
from tests.faults.operators import Nursery
from tests.faults.scenarios import QUICK_RETRY, SCENARIOS, Scenario
from tests.faults.world import World, pods_path, simulated
from tests.support.simulator.kinds import NAMESPACE
from tests.support.simulator.manifests import job, script

# So short that a test need not wait for the real times, so long that no busy machine stands still for the renew deadline.
SHORT_LEASE: Final = {"LEASE_DURATION": "3", "RENEW_DEADLINE": "2.4", "RENEW_INTERVAL": "0.3", "RETRY_INTERVAL": "0.1"}
_END_SECONDS: Final = 15.0


@pytest.mark.parametrize("seed", range(3))
async def test_two_leaders_at_once_do_no_harm(nursery: Nursery, tmp_path: Path, seed: int) -> None:
    """F2: both hold a Lease, each in a namespace of its own, nothing fences them, and their requests interleave at random."""
    async with simulated(nursery, tmp_path, fenced=False) as world:
        assert world.simulator is not None
        world.simulator.api.create(NAMESPACE, "", {"metadata": {"name": "another-system"}}, user="system:admin")
        only = await world.start_operator(settings={"FENCE": "false"})
        wanted = await told(world)
        only.terminate()
        await only.ended.wait()
        dice = random.Random(seed)
        second = await world.add_proxy()
        for proxy in world.proxies:
            proxy.add(Randomly(lambda: dice.expovariate(200.0)))
        before = len(world.proxy.history.writes())
        first = await world.start_operator(settings={"FENCE": "false"})
        other = await world.start_operator(second, settings={"FENCE": "false", "NAMESPACE": "another-system"})
        await world.until_leading(first)
        await world.until_leading(other)
        assert await told(world) == wanted
        assert (first.exit_code, other.exit_code) == (None, None)
        acted = (len(world.proxy.history.writes()) - before, len(second.history.writes()))
        assert min(acted) > 5, f"only one of the two acted: {acted}"


async def told(world: World) -> dict[str, list[str]]:
    """Run all scenarios at once, check each, and return the phases in which their jobs ended."""

    async def tell(scenario: Scenario) -> list[str]:
        namespace = await world.new_namespace()
        await scenario.tell(world, namespace)
        await world.settle(namespace, waiting=scenario.waiting)
        # A job may be cancelled by the one while the other has just started its pod: that pod is ended, but not recorded.
        world.check(namespace, except_for="I5", deleted_by_user=scenario.deleted, waiting=scenario.waiting)
        return sorted(known.status["phase"] for known in world.log.present_jobs(namespace))

    ends = await asyncio.gather(*map(tell, SCENARIOS))
    return {scenario.name: end for scenario, end in zip(SCENARIOS, ends, strict=True)}


async def leader_wakes_after_its_time(world: World) -> None:
    """F3: a leader is stopped with a pod creation on its way; another one brings the job to its end, and it is gone.

    Then the creation arrives, and the leader goes on as if no time had passed. The API server must refuse the pod, and the
    leader must notice and end.
    """
    zombie = await world.start_operator(settings=SHORT_LEASE)
    await world.until_leading(zombie)
    hold = Hold()
    world.proxy.add(hold, verb="create", resource="pods", count=1)
    namespace = await world.new_namespace()
    created = await world.submit(namespace, job("once", ttlSecondsAfterFinished=0))
    await world.log.until(lambda: hold.holding == 1, seconds=10, what="the leader creates the pod")
    zombie.stop()
    successor = await world.start_operator(await world.add_proxy(), settings=SHORT_LEASE)
    await world.log.until(
        lambda: world.log.knows(created["metadata"]["uid"], 0, deleted=True),
        seconds=_END_SECONDS,
        what="the successor ends the job, and its time to live is over",
    )
    # The garbage collector would, but a real one takes up to half a minute to learn of a new kind. Or it was quicker.
    for pod in world.log.present_pods(namespace):
        answer = await world.rest.send("DELETE", pods_path(namespace, pod.name), {"gracePeriodSeconds": 0})
        assert answer.code in (200, 404), answer
    await world.log.until(lambda: not world.log.present_pods(namespace), seconds=10, what="the pod is gone")
    hold.release()
    late = next(known for known in world.proxy.history.writes(namespace) if known.verb == "create")
    await world.log.until(lambda: late.code is not None, seconds=5, what="the late creation is answered")
    assert late.code == 403, late
    zombie.resume()
    await world.until_ended(zombie)
    assert zombie.exit_code == 1, zombie.told()
    assert successor.exit_code is None
    assert world.log.present_pods(namespace) == []
    world.check(namespace)


async def test_leader_stopped_past_its_lease_creates_no_second_pod(world: World) -> None:
    """F3, simulated."""
    await leader_wakes_after_its_time(world)


async def test_leader_stopped_past_its_lease_is_fenced_out_by_the_real_server(real_world: World) -> None:
    """F3, with the policies that the manifests install."""
    await leader_wakes_after_its_time(real_world)


@pytest.mark.parametrize("pause", [0.0, 0.002, 0.005, 0.01, 0.02])
async def test_leader_stopped_in_the_middle_of_its_work_does_no_harm_when_it_wakes(world: World, pause: float) -> None:
    """F3: at whatever point of its work it stands still, what it still sends hurts nobody."""
    zombie = await world.start_operator(settings=SHORT_LEASE)
    await world.until_leading(zombie)
    namespace = await world.new_namespace()
    for number in range(8):
        await world.submit(namespace, job(f"job-{number}", annotations=script(exit_codes="1,0"), retry=QUICK_RETRY))
    await asyncio.sleep(pause)
    zombie.stop()
    # Restarted as by a Deployment: on a machine that stands still for seconds, the successor too may lose so short a Lease.
    async with world.deployment(await world.add_proxy(), settings=SHORT_LEASE) as successor:
        # All jobs may have ended before the leader stood still: its time must be over all the same when it wakes.
        await world.until_leading(successor)
        await world.settle(namespace)
        zombie.resume()
        await world.until_ended(zombie)
    assert zombie.exit_code == 1, zombie.told()
    world.check(namespace)
