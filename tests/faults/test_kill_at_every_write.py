"""F1: the operator is killed around every write that it makes; nothing is lost, and nothing runs twice."""

import asyncio
import itertools
from typing import Final

import pytest

from tests.faults.actions import Kill, Moment
from tests.faults.invariants import few_writes
from tests.faults.killing import Killing
from tests.faults.operators import free_lease
from tests.faults.scenarios import AT_MOST_ONCE, SCENARIOS, Scenario
from tests.faults.world import World
from tests.support.simulator.manifests import job

_REQUESTS_OF_A_START: Final = 14


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))
async def test_operator_killed_around_every_write_ends_as_if_it_was_not(world: World, scenario: Scenario) -> None:
    """F1, simulated."""
    assert await Killing(world, scenario).every_write() > 0


@pytest.mark.parametrize("name", ["fails twice", "suspended and resumed"])
async def test_operator_killed_around_every_write_on_the_real_server(real_world: World, name: str) -> None:
    """F1: the two have all kinds of writes between them."""
    assert await Killing(real_world, scenario_named(name)).every_write() > 0


async def test_one_of_several_jobs_with_one_key_runs_whichever_it_is(world: World) -> None:
    """F1, around the claim of the key and all that follows from it."""

    async def tell(world: World, namespace: str) -> None:
        await asyncio.gather(*(world.submit(namespace, job(f"job-{n}", idempotencyKey="order")) for n in range(5)))

    killing = Killing(world, Scenario(name="five with one key", tell=tell))
    for number in itertools.count(1):
        runs = [await killing.killed(number, moment) for moment in Moment]
        for run in runs:
            phases = sorted(end["phase"] for end in run.end["jobs"].values())
            assert phases == ["Skipped"] * 4 + ["Succeeded"], run
            (first,) = [name for name, end in run.end["jobs"].items() if end["phase"] == "Succeeded"]
            assert {end["duplicateOf"] for end in run.end["jobs"].values()} == {first, None}
        if all(run.victim is None for run in runs):
            assert number > 5
            return


@pytest.mark.parametrize("scenario", AT_MOST_ONCE, ids=lambda scenario: scenario.name.replace(" ", "-"))
async def test_at_most_once_whenever_the_operator_is_killed(world: World, scenario: Scenario) -> None:
    """F1 and the promise of AtMostOnce, simulated: no task is started twice, and every job ends."""
    assert await Killing(world, scenario).every_write_whatever_the_end()


async def test_a_job_that_may_have_run_is_given_up_only_between_its_intent_and_its_pod(world: World) -> None:
    """F1: killed anywhere else, an AtMostOnce job ends as if nobody had been killed."""
    ends = await Killing(world, AT_MOST_ONCE[0]).every_write_whatever_the_end()
    lost = [end for end in ends if end["jobs"]["once"]["reason"] == "MayHaveRun"]
    assert {end["jobs"]["once"]["phase"] for end in ends if end not in lost} == {"Succeeded"}
    # After the intent was sent (with or without an answer), and before the creation was.
    # Killed after the intent's answer, an operator may still get its creation off: then the pod is there, and nothing is lost.
    assert len(lost) in (2, 3)
    assert not any(end["pods"] for end in lost)


async def test_clean_run_of_one_job_takes_three_writes(world: World) -> None:
    """I14, undisturbed: the pod, the verdict, and letting go of the pod; one more if the phase Running was told."""
    writes, _ = await Killing(world, scenario_named("succeeds")).clean()
    assert not list(few_writes(writes, most=4))


@pytest.mark.parametrize("moment", Moment)
async def test_operator_killed_at_every_request_of_its_start(world: World, moment: Moment) -> None:
    """F1: election, lists, the proof of the fence: wherever a start ends, the next one gets further."""
    namespace = await world.new_namespace()
    await world.submit(namespace, job("waits"))
    for number in range(_REQUESTS_OF_A_START):
        operator = await world.start_operator()
        rule = world.proxy.add(Kill(operator.kill, moment), skip=number, count=1)
        await world.until_leading_or_dead(operator)
        world.proxy.rules.remove(rule)
        operator.kill()
        await operator.ended.wait()
        await free_lease(world.rest)
    await world.start_operator()
    await world.settle(namespace)
    world.check(namespace)


def scenario_named(name: str) -> Scenario:
    return next(scenario for scenario in SCENARIOS if scenario.name == name)
