"""Watches that break, lie about the past, or show nothing: F7 and F8."""

import asyncio
import re
from typing import Any, Final

import aiohttp
import pytest

from podwright.core.constants import names
from tests.faults.actions import Answer, EndWatch, Hold, Replay
from tests.faults.operators import OperatorProcess
from tests.faults.scenarios import QUICK_RETRY, SCENARIOS
from tests.faults.world import World, jobs_path, pods_path
from tests.support.simulator.kinds import BATCH_JOB, POD
from tests.support.simulator.manifests import job, script

KINDS: Final = ("pods", names.JOB_PLURAL)


async def kept(operator: OperatorProcess) -> dict[str, int]:
    """Return how many objects the operator has in memory, by kind, as it tells in its metrics."""
    port = re.search(r"serving probes and metrics on \S+ port (\d+)", operator.told())
    assert port is not None
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port[1]}/metrics") as response:
        text = await response.text()
    return {
        kind: int(float(count)) for kind, count in re.findall(r'podwright_objects_kept\{kind="(\w+)"\} (\S+)', text)
    }


@pytest.mark.parametrize(
    "end",
    [
        EndWatch(after=1),
        EndWatch(after=1, hang_up=True),
        EndWatch(after=2, code=410),
        EndWatch(after=1, code=500),
        EndWatch(after=0, code=504),
    ],
    ids=["ends", "breaks", "410", "500", "504"],
)
async def test_watches_that_end_again_and_again_lose_nothing(world: World, end: EndWatch) -> None:
    """F7: every watch ends after a few events; what happens in between is found all the same."""
    for kind in KINDS:
        world.proxy.add(end, verb="watch", resource=kind, count=8)
    operator = await world.start_operator()
    namespace = await world.new_namespace()
    for number in range(4):
        told = script(exit_codes="1,0" if number % 2 else "0")
        await world.submit(namespace, job(f"job-{number}", annotations=told, retry=QUICK_RETRY))
    await world.settle(namespace)
    world.check(namespace)
    assert operator.exit_code is None


async def test_connections_of_watches_are_cut_all_the_time(world: World) -> None:
    """F7: while all scenarios go on."""

    async def cut() -> None:
        while True:
            await asyncio.sleep(0.05)
            world.proxy.cut_watches()

    await world.start_operator()
    cutting = asyncio.create_task(cut())
    try:
        for scenario in SCENARIOS:
            namespace = await world.new_namespace()
            await scenario.tell(world, namespace)
            await world.settle(namespace, waiting=scenario.waiting)
            world.check(namespace, deleted_by_user=scenario.deleted, waiting=scenario.waiting)
    finally:
        cutting.cancel()
        await asyncio.gather(cutting, return_exceptions=True)


@pytest.mark.parametrize("as_status", [False, True], ids=["in the stream", "as a status"])
async def test_what_was_deleted_while_nobody_watched_leaves_no_ghost(world: World, as_status: bool) -> None:
    """F7: objects vanish in a gap, and the history is compacted, so only the difference of two lists can tell."""
    assert world.simulator is not None
    world.simulator.expire_by_status = as_status
    operator = await world.start_operator()
    namespace = await world.new_namespace()
    for name in ("stays", "vanishes"):
        await world.submit(namespace, job(name, annotations=script(duration="forever")))
    await world.log.until(
        lambda: sum(pod.status.get("phase") == "Running" for pod in world.log.present_pods(namespace)) == 2,
        seconds=10,
        what="both run",
    )
    away = [world.proxy.add(Answer(503), verb=verb, resource=kind) for verb in ("list", "watch") for kind in KINDS]
    world.proxy.cut_watches()
    await world.ask("DELETE", jobs_path(namespace, "vanishes"))
    await make_vanish(world, namespace, "vanishes")
    for kind in (BATCH_JOB, POD):
        world.simulator.api.table(kind).compact()
    for rule in away:
        world.proxy.rules.remove(rule)
    # Under the same name, but another job: a ghost would be taken for it.
    await world.submit(namespace, job("vanishes"))
    await world.log.until(
        lambda: any(
            known.name == "vanishes" and known.status.get("phase") == "Succeeded"
            for known in world.log.present_jobs(namespace)
        ),
        seconds=15,
        what="the new job of the same name ends",
    )
    counts = await kept(operator)
    assert counts["job"] == 2
    assert counts["pod"] <= 2, "a pod that is no more is still kept"
    await world.change(namespace, "stays", {"cancel": "Immediate"})
    await world.settle(namespace)
    world.check(namespace, deleted_by_user=["vanishes"])


async def make_vanish(world: World, namespace: str, job_name: str) -> None:
    """Remove a job's pods behind the operator's back: finalizers off, killed without grace."""
    for pod in world.log.present_pods(namespace):
        if pod.metadata["labels"][names.LABEL_JOB] == job_name:
            path = pods_path(namespace, pod.name)
            merge = "application/merge-patch+json"
            await world.rest.send("PATCH", path, {"metadata": {"finalizers": None}}, content_type=merge)
            await world.rest.send("DELETE", path, {"gracePeriodSeconds": 0})
    await world.log.until(
        lambda: not [p for p in world.log.present_pods(namespace) if p.metadata["labels"][names.LABEL_JOB] == job_name],
        seconds=10,
        what="the pods are gone",
    )


@pytest.mark.parametrize("frozen", [*KINDS, "both"])
async def test_frozen_watch_makes_no_harm_while_the_other_goes_on(any_world: World, frozen: str) -> None:
    """F8: one kind, or both, are seen as they were a while ago; whatever is decided on that is harmless."""
    world = any_world
    await world.start_operator()
    holds = []
    for kind in KINDS if frozen == "both" else (frozen,):
        holds.append(Hold())
        world.proxy.add(holds[-1], verb="watch", resource=kind)
    world.proxy.cut_watches()
    namespace = await world.new_namespace()
    for number in range(4):
        told = script(exit_codes="1,0" if number % 2 else "0")
        await world.submit(namespace, job(f"job-{number}", annotations=told, retry=QUICK_RETRY))
    await asyncio.sleep(1.0)
    for name in ("job-0", "job-1"):
        await world.rest.send("DELETE", jobs_path(namespace, name))
    await asyncio.sleep(0.5)
    for hold in holds:
        hold.release()
    await world.settle(namespace)
    world.check(namespace, deleted_by_user=["job-0", "job-1"])


class Past:
    """Lists as they were at one moment, and watches that show nothing since: an API server with an old cache."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._replay, self._hold = Replay(), Hold()
        self._rules: list[Any] = [world.proxy.add(self._replay, verb="list", resource=kind) for kind in KINDS]

    def begin(self) -> None:
        """Show the past from now on."""
        self._replay.replaying = True
        self._rules += [self._world.proxy.add(self._hold, verb="watch", resource=kind) for kind in KINDS]
        self._world.proxy.cut_watches()

    def end(self) -> None:
        """Show the present again."""
        for rule in self._rules:
            self._world.proxy.rules.remove(rule)
        self._hold.release()
        self._world.proxy.cut_watches()


async def test_operator_that_starts_on_an_old_cache_does_not_run_a_finished_job_again(any_world: World) -> None:
    """F8, time travel: the job ended and expired, its pod is gone, and then a new operator is shown the time before."""
    world = any_world
    namespace = await world.new_namespace()
    past = Past(world)
    created = await world.submit(namespace, job("gone", ttlSecondsAfterFinished=1))
    first = await world.start_operator()  # lists when the job is there and its pod is not
    await world.log.until(
        lambda: world.log.knows(created["metadata"]["uid"], 0, deleted=True) and not world.log.present_pods(namespace),
        seconds=15,
        what="the job ends and expires",
    )
    first.kill()
    past.begin()
    second = await world.restart_operator(first)
    await world.until_leading(second)
    await asyncio.sleep(1.0)
    assert len([known for known in world.log.pods if known.namespace == namespace and known.revision]) > 0
    assert world.log.present_pods(namespace) == []
    past.end()
    later = await world.new_namespace()
    await world.submit(later, job("after"))
    await world.settle(later)
    world.check(namespace)
    world.check(later)


async def test_operator_that_starts_on_an_old_cache_does_not_repeat_attempts(any_world: World) -> None:
    """F8, time travel: attempts were made and recorded that the list does not show; their names are not used again."""
    world = any_world
    namespace = await world.new_namespace()
    past = Past(world)
    for number in range(3):
        await world.submit(
            namespace, job(f"job-{number}", annotations=script(exit_codes="1,1,0", duration="50ms"), retry=QUICK_RETRY)
        )
    first = await world.start_operator()
    await world.log.until(
        lambda: any(known.status.get("attemptCount", 0) >= 1 for known in world.log.present_jobs(namespace)),
        seconds=10,
        what="a first attempt is recorded",
    )
    first.kill()
    past.begin()
    second = await world.restart_operator(first)
    await world.until_leading(second)
    await asyncio.sleep(1.0)
    past.end()
    await world.settle(namespace)
    world.check(namespace)
