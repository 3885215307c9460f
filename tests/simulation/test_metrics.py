"""What the metrics tell of jobs that a running engine has worked on."""

from collections.abc import AsyncIterator

import pytest

from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import Ambiguous, ApiResponse
from podwright.runtime.metrics import Metrics
from podwright.runtime.writer import Send
from tests.simulation.world import World, started_world, until


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with started_world() as running:
        yield running


def tasks(world: World, outcome: str) -> float | None:
    return world.metrics.registry.get_sample_value("podwright_array_tasks_finished_total", {"outcome": outcome})


async def test_each_task_of_an_array_is_counted_once_when_it_is_done(world: World) -> None:
    world.submit("good", array={"size": 30, "parallelism": 5})
    world.submit("bad", array={"size": 3}, script={"exit-code": "3"}, retry={"limit": 1, "initial": "1ms"})
    await until(lambda: world.is_over("good") and world.is_over("bad"), seconds=30)
    assert (tasks(world, "succeeded"), tasks(world, "failed")) == (30, 3)
    assert world.store.dead_letters.by_namespace() == {"default": 1}
    world.delete_job("bad")
    await until(lambda: not world.store.dead_letters.by_namespace())


async def test_a_status_whose_answer_was_lost_counts_no_task(world: World) -> None:
    """Whether it was written is not known: to count too few is better than twice."""
    lost: list[ApiRequest] = []

    async def lose_the_last(request: ApiRequest, send: Send) -> ApiResponse:
        answer = await send(request)
        if request.path.endswith("/status") and not lost and b'"Succeeded"' in (request.body or b""):
            lost.append(request)
            raise Ambiguous("the connection broke")
        return answer

    world.fault = lose_the_last
    world.submit(array={"size": 1})
    await until(world.is_over)
    assert (len(lost), tasks(world, "succeeded")) == (1, None)


def test_a_namespace_that_has_no_dead_letters_any_more_is_not_told_of() -> None:
    metrics = Metrics()
    gauges = {"jobs": 0, "pods": 0, "backlog": 0, "under_way": 0, "limit": 0, "leading": 0}
    metrics.observe(**gauges, dead_letters={"a": 2, "b": 1})
    assert b'podwright_dead_letters{namespace="a"} 2.0' in metrics.exposition()
    metrics.observe(**gauges, dead_letters={"b": 1})
    told = metrics.exposition()
    assert b'namespace="a"' not in told
    assert b'podwright_dead_letters{namespace="b"} 1.0' in told
