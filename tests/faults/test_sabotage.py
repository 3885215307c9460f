"""F28: somebody takes away what the operator stands on. What users may do to pods and status is in `tests.cluster.operated`."""

from typing import Any

from podwright.core.constants import names
from tests.faults.operators import SYSTEM_NAMESPACE
from tests.faults.test_leadership import SHORT_LEASE
from tests.faults.world import World
from tests.support.simulator.manifests import job, script

_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases"


async def test_the_leaders_lease_is_deleted_while_an_array_runs(any_world: World) -> None:
    """F28, F4, I1, I2, I5: the leader ends, one other operator goes on, no task runs twice and none is lost."""
    world = any_world
    leader = await world.start_operator(settings=SHORT_LEASE)
    await world.until_leading(leader)
    other = await world.start_operator(await world.add_proxy(), settings=SHORT_LEASE)
    await until_asked_for_lease(world)
    namespace = await world.new_namespace()
    await world.submit(namespace, job("array", annotations=script(duration="1s"), array={"size": 9, "parallelism": 3}))
    await until_running(world, namespace, 3)
    answer = await world.rest.send("DELETE", f"{_LEASES}/{names.lease_name(0)}")
    assert answer.code == 200, answer
    await world.until_ended(leader)
    assert leader.exit_code == 1, leader.told()
    written = len(world.proxy.history.writes(namespace))
    # The Deployment starts the one that ended anew; it must stand by.
    again = await world.start_operator(settings=SHORT_LEASE)
    await world.settle(namespace)
    world.check(namespace)
    assert (other.exit_code, again.exit_code) == (None, None)
    acted = sorted(
        (len(world.proxies[0].history.writes(namespace)) - written, len(world.proxies[1].history.writes(namespace)))
    )
    assert acted[0] == 0 < acted[1], "one of the two acts, and only one"
    epochs = {int(pod.metadata["annotations"][names.ANNOTATION_EPOCH]) for pod in world.log.present_pods(namespace)}
    assert len(epochs) == 2, "a Lease that is made anew never repeats an epoch"
    [array] = world.log.present_jobs(namespace)
    assert (array.status["phase"], array.status["attemptCount"]) == ("Succeeded", 9)


async def test_the_lease_of_a_key_is_deleted_while_its_holder_runs(world: World) -> None:
    """F28, I1, I3: that frees the key for the next job; the one that runs ends as if nothing had been, also after a restart."""
    operator = await world.start_operator()
    namespace = await world.new_namespace()
    lease = f"{_LEASES}/{names.key_lease_name(namespace=namespace, key='order')}"
    forever: dict[str, Any] = {"annotations": script(duration="forever"), "idempotencyKey": "order"}
    await world.submit(namespace, job("first", **forever))
    await until_running(world, namespace, 1)
    assert (await world.rest.send("DELETE", lease)).code == 200
    operator.kill()
    await world.restart_operator(operator)
    await world.submit(namespace, job("second", **forever))
    await until_running(world, namespace, 2)
    holder = (await world.rest.send("GET", lease)).body["metadata"]["annotations"][names.ANNOTATION_JOB]
    assert holder == "second"
    await world.submit(namespace, job("third", idempotencyKey="order"))
    for name in ("first", "second"):
        await world.change(namespace, name, {"cancel": "Immediate"})
    await world.settle(namespace)
    world.check(namespace, except_for="KEY")
    ends = {known.name: known.status for known in world.log.present_jobs(namespace)}
    assert {name: (end["phase"], end["attemptCount"]) for name, end in ends.items()} == {
        "first": ("Cancelled", 1),
        "second": ("Cancelled", 1),
        "third": ("Skipped", 0),
    }
    assert ends["third"]["duplicateOf"] == "second"


async def until_asked_for_lease(world: World) -> None:
    """Wait until the second operator has looked at the Lease, from which it knows the epochs that are used up."""
    await world.log.until(
        lambda: any(
            asked.name == names.lease_name(0) and asked.code == 200 for asked in world.proxies[1].history.exchanges
        ),
        seconds=10,
        what="it stands by",
    )


async def until_running(world: World, namespace: str, number: int) -> None:
    await world.log.until(
        lambda: sum(pod.status.get("phase") == "Running" for pod in world.log.present_pods(namespace)) == number,
        seconds=20,
        what=f"{number} pods run",
    )
