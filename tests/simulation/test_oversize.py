"""Jobs whose status doesn't fit beside them: their own trouble, which ends, and nobody else's."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import pytest

from podwright.core.constants.names import FINALIZER
from podwright.core.job.oversize import PATIENCE
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import ApiResponse
from podwright.runtime.writer import Send
from tests.simulation.world import World, decoded, started_world, until

TOO_LARGE = ApiResponse(
    500, json.dumps({"kind": "Status", "code": 500, "message": "etcdserver: request is too large"}).encode()
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with started_world() as running:
        yield running


def leave_room(world: World, *, size: int) -> None:
    """Let no status of a giant be written that is larger than `size` bytes."""

    async def refuse(request: ApiRequest, send: Send) -> ApiResponse:
        is_status = request.path.endswith("/status") and "/giant" in request.path
        if is_status and len(json.dumps(decoded(request)["status"])) > size:
            return TOO_LARGE
        return await send(request)

    world.fault = refuse


def status_writes(world: World, name: str) -> int:
    return sum(request.path.endswith(f"/{name}/status") for request in world.writes)


async def test_l4_150_jobs_without_room_slow_nobody_and_are_let_go_of(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    leave_room(world, size=0)
    giants = [f"giant-{number}" for number in range(150)]
    for number, name in enumerate(giants):
        world.submit(name, script={"duration": "1h"} if number % 2 else None)
    await until(lambda: len(world.pod_objects()) == 150, seconds=20)
    good = [f"good-{number}" for number in range(100)]
    for name in good:
        world.submit(name)
    await until(lambda: all(world.is_over(name) or world.is_finished(name) for name in good), seconds=15)
    await until(lambda: all(status_writes(world, name) >= 2 for name in giants), seconds=20)
    await asyncio.sleep(1.0)
    before = sum(status_writes(world, name) for name in giants)
    await asyncio.sleep(1.0)
    assert sum(status_writes(world, name) for name in giants) == before == 300
    assert len([record for record in caplog.records if "doesn't fit" in record.getMessage()]) == 1
    assert world.metrics.registry.get_sample_value("podwright_statuses_too_large_total") == 300
    limit = world.engine._dispatcher._writer.limit
    assert limit >= 32, "it was taken for overload"

    world.clock_error = PATIENCE + 1
    world.engine.mark_all()
    await until(lambda: not world.held(), seconds=40)
    posts = world.written("POST")
    assert len(posts) == 250
    await asyncio.sleep(1.0)
    assert sum(status_writes(world, name) for name in giants) <= 600
    assert world.written("POST") == posts, "what can't be recorded was started again"


async def test_l4_a_smaller_status_is_written_where_the_whole_one_does_not_fit(world: World) -> None:
    world.kubelet.pause()
    leave_room(world, size=2000)
    world.submit("giant", retry={"limit": 0})
    await until(lambda: len(world.pod_objects()) == 1)
    (pod,) = world.pod_objects()
    state = {
        "terminated": {"exitCode": 1, "reason": "Error", "message": "y" * 3000, "finishedAt": "2026-01-01T00:00:00Z"}
    }
    world.end_pod(pod["metadata"]["name"], exit_code=1, containerStatuses=[{"name": "main", "state": state}])
    await until(lambda: world.is_over("giant"))
    assert world.status("giant")["phase"] == "Failed"
    assert world.status("giant")["message"].endswith("(parts left out: the job is too large)")
    assert status_writes(world, "giant") == 2


async def test_l4_a_job_that_was_made_smaller_goes_on_as_if_nothing_had_been(world: World) -> None:
    leave_room(world, size=0)
    world.submit("giant")
    await until(lambda: status_writes(world, "giant") == 2)
    assert FINALIZER in world.pod_objects()[0]["metadata"]["finalizers"]
    world.fault = None
    world.edit("giant", ttlSecondsAfterFinished=1000)
    await until(lambda: world.is_over("giant"))
    assert (world.status("giant")["phase"], world.status("giant")["attemptCount"]) == ("Succeeded", 1)
