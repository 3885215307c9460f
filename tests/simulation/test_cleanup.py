"""Tidying up in the running engine: what goes when, and never too much of it at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from podwright.core.values.ref import JOB, Ref
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import Ambiguous, ApiResponse
from podwright.runtime.cleanup import PLACES, Cleanup
from podwright.runtime.writer import Send
from tests.simulation.world import World, decoded, started_world, until
from tests.support.simulator.kinds import BATCH_JOB, POD

QUICK_RETRY = {"limit": 2, "initial": "10ms", "max": "10ms"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with started_world() as running:
        yield running


def test_who_finds_no_place_waits_in_line() -> None:
    cleanup = Cleanup(places=2)
    assert [cleanup.begin(Ref(JOB, uid)) for uid in "abcdc"] == [True, True, False, False, False]
    assert (cleanup.ready, list(cleanup.admitted())) == (False, [])
    cleanup.end()
    assert (cleanup.ready, list(cleanup.admitted())) == (True, [Ref(JOB, "c")])
    cleanup.end()
    assert list(cleanup.admitted()) == [Ref(JOB, "d")]
    assert not cleanup.ready


async def test_the_pods_of_all_attempts_go_while_the_job_stays(world: World) -> None:
    world.submit(script={"exit-codes": "1,1,0"}, retry=QUICK_RETRY, retention={"podSeconds": 1})
    world.submit("keeps")
    await until(lambda: world.is_over("job") and world.is_over("keeps"))
    assert len(world.pod_objects()) == 4
    await until(lambda: len(world.pod_objects()) == 1)
    assert (world.status()["phase"], world.status("keeps")["phase"]) == ("Succeeded", "Succeeded")
    deletions = [request for request in world.writes if request.method == "DELETE"]
    assert [set(decoded(request)["preconditions"]) for request in deletions] == [{"uid"}] * 3
    await asyncio.sleep(0.2)
    assert len([request for request in world.writes if request.method == "DELETE"]) == 3


async def test_a_time_for_pods_may_be_set_when_all_is_over(world: World) -> None:
    world.submit(script={"exit-codes": "1,0"}, retry=QUICK_RETRY)
    await until(world.is_over)
    await asyncio.sleep(0.1)
    world.edit(retention={"podSeconds": 0})
    await until(lambda: not world.pod_objects())
    assert world.status()["phase"] == "Succeeded"


async def test_a_deletion_without_an_answer_is_looked_after(world: World) -> None:
    lost: list[str] = []

    async def lose_deletions(request: ApiRequest, send: Send) -> ApiResponse:
        answer = await send(request)
        if request.method == "DELETE" and len(lost) < 1:
            lost.append(request.path)
            raise Ambiguous("no answer")
        return answer

    world.fault = lose_deletions
    world.submit(retention={"podSeconds": 0})
    await until(lambda: world.is_over() and not world.pod_objects())
    await asyncio.sleep(0.2)
    assert world.written("DELETE") == [lost[0].rsplit("/", 1)[-1]]


async def test_what_a_gitops_tool_would_create_again_stays(world: World) -> None:
    world.submit("tracked", suspend=True, ttlSecondsAfterFinished=0)
    world.api.update(
        BATCH_JOB,
        next(key for key in world.api.table(BATCH_JOB).objects if key.name == "tracked"),
        lambda job: {**job, "metadata": {**job["metadata"], "annotations": {"argocd.argoproj.io/tracking-id": "x"}}},
        user="argocd",
        by_put=False,
    )
    world.edit("tracked", suspend=False)
    world.submit("untracked", ttlSecondsAfterFinished=0)
    await until(lambda: not any(key.name == "untracked" for key in world.api.table(BATCH_JOB).objects))
    await until(lambda: world.is_over("tracked"))
    await asyncio.sleep(0.2)
    assert world.status("tracked")["phase"] == "Succeeded"


async def test_a_thousand_expired_jobs_are_deleted_a_few_at_a_time_and_hold_up_nobody() -> None:
    """After a restart the time of all of them may have come."""
    most = under_way = 0
    async with started_world() as world:
        for number in range(1000):
            world.submit(f"old-{number}")
        await until(lambda: all("finishTime" in world.status(f"old-{n}") for n in range(1000)), seconds=60)
        await until(lambda: not world.held(), seconds=30)

        async def count(request: ApiRequest, send: Send) -> ApiResponse:
            nonlocal most, under_way
            deletes = request.method == "DELETE"
            under_way += deletes
            most = max(most, under_way)
            if deletes:
                await asyncio.sleep(0.02)
            try:
                return await send(request)
            finally:
                under_way -= deletes

        world.fault = count
        term, world.terms.current = world.terms.current, None
        for number in range(1000):
            world.edit(f"old-{number}", ttlSecondsAfterFinished=0)
        await asyncio.sleep(0.5)
        world.terms.current = term
        world.engine.mark_all()
        world.submit("new")
        await until(lambda: world.is_over("new"))
        assert len(world.api.table(BATCH_JOB).objects) > 1, "the new job waited for the old ones"
        await until(lambda: len(world.api.table(BATCH_JOB).objects) == 1, seconds=60)
        assert 1 < most <= PLACES
        await until(lambda: len(world.api.table(POD).objects) == 1, seconds=30)


async def test_a_creation_that_was_found_by_a_read_holds_up_no_deletion(world: World) -> None:
    lost: list[str] = []

    async def lose_creation(request: ApiRequest, send: Send) -> ApiResponse:
        answer = await send(request)
        if request.method == "POST" and not lost:
            lost.append(request.path)
            raise Ambiguous("no answer")
        return answer

    world.fault = lose_creation
    world.submit(ttlSecondsAfterFinished=0)
    await until(lambda: bool(lost) and not world.api.table(BATCH_JOB).objects)
