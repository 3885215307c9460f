"""F13: what an API server, or the network before it, may answer to a write."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Final

import pytest

from tests.faults.actions import Action, Answer, AnswerAfterwards, Drop, DropReply, Hold, Truncate
from tests.faults.history import Exchange
from tests.faults.scenarios import SCENARIOS, Scenario, end_state
from tests.faults.world import World
from tests.support.simulator.manifests import job, script

FAULTS: Final[dict[str, Callable[[], Action]]] = {
    "429": lambda: Answer(429, reason="TooManyRequests"),
    "500": lambda: Answer(500, reason="InternalError"),
    "502": lambda: Answer(502),
    "503": lambda: Answer(503, reason="ServiceUnavailable"),
    "504 before it was carried out": lambda: Answer(504, reason="Timeout"),
    "504 after it was carried out": lambda: AnswerAfterwards(504, reason="Timeout"),
    "500 after it was carried out": lambda: AnswerAfterwards(500, reason="InternalError"),
    "connection lost before": Drop,
    "connection lost after": DropReply,
    "half an answer": Truncate,
    "no answer but its first bytes": lambda: Truncate(share=0.02),
}
_MOST_WRITES: Final = 60


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))
async def test_every_write_meets_every_bad_answer_and_nothing_changes_in_the_end(
    world: World, scenario: Scenario
) -> None:
    """F13: one write of each run goes wrong in one way; all runs go on side by side, each in its namespace."""
    operator = await world.start_operator()
    clean = await world.new_namespace()
    wanted = await tell(world, scenario, clean)
    writes = len(world.proxy.history.writes(clean))
    assert 0 < writes < _MOST_WRITES

    async def run(fault: str, number: int) -> None:
        namespace = await world.new_namespace()
        rule = world.proxy.add(FAULTS[fault](), writes=True, namespace=namespace, skip=number, count=1)
        assert await tell(world, scenario, namespace) == wanted, f"{fault} on write {number + 1}"
        assert rule.met > number or number >= writes - 1, f"write {number + 1} never came"

    # A job whose pod's creation has an unknown outcome is kept for over a minute, lest a late pod outlives it: too long here.
    first = 1 if scenario.name == "expires" else 0
    await asyncio.gather(*(run(fault, number) for fault, number in itertools.product(FAULTS, range(first, writes))))
    assert operator.exit_code is None, operator.told()


async def test_every_write_goes_wrong_three_times_in_a_row(any_world: World) -> None:
    """F13: nothing gives up, and nothing is done twice, however often it has to be repeated."""
    world = any_world
    await world.start_operator()
    namespaces = {fault: await world.new_namespace() for fault in FAULTS}
    for fault, namespace in namespaces.items():
        for verb in ("create", "patch", "delete"):
            world.proxy.add(FAULTS[fault](), verb=verb, writes=True, namespace=namespace, count=3)
        await world.submit(namespace, job("persistent"))
    for namespace in namespaces.values():
        await world.settle(namespace)
        world.check(namespace)


async def test_retry_after_is_honoured(world: World) -> None:
    """F13: a server that asks for two seconds gets them."""
    await world.start_operator()
    namespace = await world.new_namespace()
    refusal = Answer(429, reason="TooManyRequests", retry_after=2)
    world.proxy.add(refusal, verb="create", resource="pods", namespace=namespace, count=1)
    await world.submit(namespace, job("patient"))
    await world.settle(namespace)
    refused, created = (known for known in world.proxy.history.writes(namespace) if known.verb == "create")
    assert (refused.answered, created.answered) == (429, 201)
    assert created.at - refused.at >= 2.0


async def test_creation_of_unknown_outcome_is_not_repeated_as_another_pod(any_world: World) -> None:
    """F13: the answer to a creation is lost and the watch shows nothing, so the pod is looked up under its name."""
    world = any_world
    await world.start_operator()
    namespace = await world.new_namespace()
    await world.submit(namespace, job("warm-up"))
    await world.settle(namespace)
    hold = Hold()
    world.proxy.add(hold, verb="watch", resource="pods")
    world.proxy.cut_watches()
    world.proxy.add(DropReply(), verb="create", resource="pods", namespace=namespace, count=1)
    await world.submit(namespace, job("doubtful"))

    def creations() -> list[Exchange]:
        return [known for known in world.proxy.history.writes(namespace) if known.verb == "create"][1:]

    await world.log.until(lambda: bool(creations()), seconds=10, what="the pod is created")
    await asyncio.sleep(1.0)
    hold.release()
    await world.settle(namespace)
    assert [known.code for known in creations()] == [201]
    world.check(namespace)


async def test_job_cancelled_while_the_outcome_of_its_creation_is_unknown_records_its_pod(world: World) -> None:
    """F13, I5: the pod runs, but neither answer nor watch has told so when the job is cancelled."""
    await world.start_operator()
    namespace = await world.new_namespace()
    await world.submit(namespace, job("warm-up"))
    await world.settle(namespace)
    hold = Hold()
    world.proxy.add(hold, verb="watch", resource="pods")
    world.proxy.cut_watches()
    lost = world.proxy.add(DropReply(), verb="create", resource="pods", namespace=namespace, count=1)
    await world.submit(namespace, job("doubtful", annotations=script(duration="forever")))
    await world.log.until(
        lambda: any(pod.status.get("phase") == "Running" for pod in world.log.present_pods(namespace)),
        seconds=10,
        what="the pod runs",
    )
    assert lost.met == 1, "the operator knew of the pod before the cancellation"
    await world.change(namespace, "doubtful", {"cancel": "Graceful"})
    await asyncio.sleep(0.5)
    hold.release()
    await world.settle(namespace)
    world.check(namespace)


async def tell(world: World, scenario: Scenario, namespace: str) -> object:
    await scenario.tell(world, namespace)
    await world.settle(namespace, waiting=scenario.waiting)
    world.check(namespace, deleted_by_user=scenario.deleted, waiting=scenario.waiting)
    return end_state(world, namespace)
