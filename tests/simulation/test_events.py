"""Kubernetes Events of jobs, from the change of a status to the stored object, against the simulated API server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from podwright.core.model.job import JobStatus
from podwright.core.model.phase import Phase
from podwright.core.run.events import EventLevel
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import ApiResponse, ApiUnreachable
from podwright.runtime import events as events_module
from podwright.runtime.events import EventRecorder
from tests.simulation.world import World, started_world, until
from tests.support.builders import make_job
from tests.support.simulator.kinds import EVENT

QUICK_RETRY = {"limit": 1, "initial": "10ms", "max": "10ms"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with started_world() as running:
        yield running


def events(world: World, *, of: str) -> list[dict[str, Any]]:
    stored = [each.document for each in world.api.table(EVENT).objects.values()]
    mine = [event for event in stored if event["involvedObject"]["name"] == of]
    return sorted(mine, key=lambda event: int(event["metadata"]["resourceVersion"]))


async def test_u4_a_retry_and_a_dead_letter_are_events(world: World) -> None:
    uid = world.submit("bad", script={"exit-code": "3"}, retry=QUICK_RETRY)
    await until(lambda: [event["reason"] for event in events(world, of="bad")] == ["Retrying", "DeadLettered"])
    retry = events(world, of="bad")[0]
    assert (retry["type"], retry["involvedObject"]["uid"]) == ("Warning", uid)
    assert "attempt 0 failed (Error, exit code 3)" in retry["message"]


async def test_u4_a_job_that_just_succeeds_makes_none(world: World) -> None:
    world.submit("good")
    world.submit("bad", script={"exit-code": "3"}, retry={"limit": 0})
    await until(lambda: bool(events(world, of="bad")) and world.is_over("good"))
    assert events(world, of="good") == []


async def test_u4_the_same_fact_is_one_event(world: World) -> None:
    job, after = make_job(), JobStatus(phase=Phase.FAILED, reason="InvalidSpec", message="no")
    for _ in range(2):
        world.events.status_written(job=job, after=after)
    await until(lambda: not world.events.waiting)
    assert [event["reason"] for event in events(world, of=job.name)] == ["Failed"]


class Recorded:
    """A recorder whose requests are kept, and answered by `answer`."""

    def __init__(self, *, level: EventLevel = EventLevel.PROBLEMS) -> None:
        self.sent: list[ApiRequest] = []
        self.results: list[str] = []
        self.answer: int | None = 201
        self.hanging = ""
        """Namespaces of which names that begin so hang."""
        self.now = 0.0
        self.recorder = EventRecorder(
            send=self._send, level=level, clock=lambda: 1e9, monotonic=lambda: self.now, on_sent=self.results.append
        )

    async def _send(self, request: ApiRequest) -> ApiResponse:
        self.sent.append(request)
        if self.hanging and f"/namespaces/{self.hanging}" in request.path:
            await asyncio.sleep(60)
        if self.answer is None:
            raise ApiUnreachable("nobody there")
        return ApiResponse(status=self.answer, body=b"{}")

    def fail(self, *, namespace: str, uid: str) -> None:
        self.recorder.status_written(
            job=make_job(uid=uid, namespace=namespace), after=JobStatus(phase=Phase.FAILED, message="no")
        )

    async def drain(self) -> None:
        task = asyncio.create_task(self.recorder.run())
        await until(lambda: not self.recorder.waiting)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_namespaces_take_turns_and_keep_few_waiting() -> None:
    recorded = Recorded()
    for number in range(200):
        recorded.fail(namespace="noisy", uid=f"n{number}")
    recorded.fail(namespace="quiet", uid="q")
    assert (recorded.recorder.waiting, recorded.results) == (51, ["dropped"] * 150)
    recorded.now = 100.0
    task = asyncio.create_task(recorded.recorder.run())
    await until(lambda: len(recorded.sent) >= 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "/namespaces/quiet/" in recorded.sent[1].path


async def test_u4_a_namespace_whose_webhook_hangs_holds_up_no_other_and_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events_module, "_DEADLINE", 0.5)
    recorded = Recorded()
    recorded.hanging = "hanging"
    for number in range(2):
        recorded.fail(namespace="hanging", uid=f"h{number}")
    for number in range(20):
        recorded.fail(namespace="quiet", uid=f"q{number}")
    task = asyncio.create_task(recorded.recorder.run())
    await until(lambda: recorded.results == ["sent"] * 20)
    assert sum("/hanging/" in request.path for request in recorded.sent) == 1, "one at a time of each namespace"
    await until(lambda: recorded.results == ["sent"] * 20 + ["failed"] * 2)
    assert recorded.recorder.waiting == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_u4_only_a_few_are_sent_at_once() -> None:
    recorded = Recorded()
    recorded.hanging = "hanging"
    for number in range(20):
        recorded.fail(namespace=f"hanging-{number}", uid=f"n{number}")
    task = asyncio.create_task(recorded.recorder.run())
    await until(lambda: len(recorded.sent) == 8)
    await asyncio.sleep(0.1)
    assert len(recorded.sent) == 8
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("answer", "result"),
    [(201, "sent"), (409, "sent"), (403, "failed"), (503, "failed"), (None, "failed")],
    ids=["stored", "known already", "forbidden", "overloaded", "unreachable"],
)
async def test_whatever_the_answer_an_event_is_tried_once(answer: int | None, result: str) -> None:
    recorded = Recorded()
    recorded.answer = answer
    recorded.fail(namespace="default", uid="a")
    await recorded.drain()
    assert (len(recorded.sent), recorded.results) == (1, [result])


async def test_nothing_is_kept_when_events_are_off() -> None:
    recorded = Recorded(level=EventLevel.OFF)
    recorded.fail(namespace="default", uid="a")
    assert recorded.recorder.waiting == 0
