"""What bulk accounting gives up and what it keeps, with an operator that is killed. Simulated."""

import pytest

from tests.faults.killing import Killing
from tests.faults.scenarios import SCENARIOS, until_pod_runs
from tests.faults.world import World
from tests.support.simulator.manifests import job, script

BULK = {"ACCOUNTING": "Bulk"}


@pytest.mark.parametrize("name", ["fails twice", "packed array"])
async def test_operator_killed_around_every_write_ends_as_if_it_was_not(world: World, name: str) -> None:
    """F1: as long as nobody deletes pods, nothing is missed for want of a finalizer."""
    (scenario,) = (scenario for scenario in SCENARIOS if scenario.name == name)
    assert await Killing(world, scenario, settings=BULK).every_write() > 0


@pytest.mark.parametrize(
    ("mode", "phase", "pods"), [("AtLeastOnce", "Succeeded", 2), ("AtMostOnce", "Failed", 1)], ids=["least", "most"]
)
async def test_a_pod_that_goes_while_nobody_watches(world: World, mode: str, phase: str, pods: int) -> None:
    """It leaves no trace. The job is not lost for it: its attempt runs again, or never again under AtMostOnce."""
    namespace = await world.new_namespace()
    operator = await world.start_operator(settings=BULK)
    await world.submit(namespace, job("job", annotations=script(duration="3s"), deliveryMode=mode))
    await until_pod_runs(world, namespace)
    operator.kill()
    await operator.ended.wait()
    (pod,) = world.log.present_pods(namespace)
    await world.rest.send(
        "DELETE", f"/api/v1/namespaces/{namespace}/pods/{pod.name}", query={"gracePeriodSeconds": "0"}
    )
    await world.log.until(lambda: not world.log.present_pods(namespace), seconds=10, what="the pod is gone")
    await world.restart_operator(operator, settings=BULK)
    await world.settle(namespace)
    (after,) = world.log.present_jobs(namespace)
    assert after.status["phase"] == phase
    assert len({version.uid for version in world.log.pods if version.namespace == namespace}) == pods
