"""Answers that our code can't take in, and objects that vanish while something is waited for: nobody is forgotten, nothing spins."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from podwright.core.commands import CreateChild
from podwright.core.values.ref import JOB, Ref
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.responses import ApiResponse
from podwright.runtime.lines import QUOTA, Lines
from podwright.runtime.writer import Send
from tests.simulation.world import World, started_world, until
from tests.support.simulator.deletion import DeleteOptions
from tests.support.simulator.kinds import POD
from tests.support.simulator.storage import Key


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with started_world() as running:
        yield running


def refusal(message: str) -> ApiResponse:
    body = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": message}
    return ApiResponse(403, json.dumps(body).encode())


def decisions(world: World) -> float:
    return world.metrics.registry.get_sample_value("podwright_decisions_total") or 0


async def test_an_answer_that_breaks_our_code_forgets_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sound = world.controller.outcomes.succeeded
    broken: list[str] = []

    def once(command: Any, **arguments: Any) -> None:
        if isinstance(command, CreateChild) and not broken:
            broken.append(command.name)
            raise RuntimeError("no such thing")
        sound(command, **arguments)

    monkeypatch.setattr(world.controller.outcomes, "succeeded", once)
    world.submit()
    await until(world.is_over, seconds=20)
    assert (world.status()["phase"], len(world.pod_objects())) == ("Succeeded", 1)
    assert "cannot reconcile" in caplog.text


async def test_an_answer_that_is_no_object_gives_its_place_in_the_line_for_quota_back(world: World) -> None:
    creations = 0

    async def answer(request: ApiRequest, send: Send) -> ApiResponse:
        nonlocal creations
        if request.method != "POST":
            return await send(request)
        creations += 1
        if creations <= 2:
            return refusal("exceeded quota: few")
        stored = await send(request)
        return ApiResponse(stored.status, b"<html>") if creations == 3 else stored

    world.fault = answer
    for name in ("first", "second"):
        world.submit(name, script={"duration": "1h"})
    await until(lambda: len(world.pod_objects()) == 2, seconds=20)


async def test_a_pod_that_vanishes_while_it_may_not_be_changed_is_not_decided_on_without_end(world: World) -> None:
    async def refuse(request: ApiRequest, send: Send) -> ApiResponse:
        if request.method == "PATCH" and "/pods/" in request.path:
            return refusal("pods may not be changed")
        return await send(request)

    world.fault = refuse
    world.submit()
    await until(lambda: world.is_finished("job"))
    await until(lambda: any("/pods/" in request.path for request in world.writes))
    name = world.pod_objects()[0]["metadata"]["name"]
    world.api.update(
        POD, Key("default", name), lambda pod: {**pod, "metadata": {**pod["metadata"], "finalizers": []}}, user="admin"
    )
    world.api.delete(POD, Key("default", name), DeleteOptions(), user="admin")
    await asyncio.sleep(1.5)  # longer than the pause after a refusal
    before = decisions(world)
    await asyncio.sleep(1.0)
    assert decisions(world) - before <= 5


def test_who_is_gone_leaves_the_line_for_quota() -> None:
    woken: list[Ref] = []
    lines = Lines(wake=lambda ref, _: woken.append(ref))
    gone, waits = Ref(JOB, "gone"), Ref(JOB, "waits")
    for ref in (gone, waits):
        lines.refused(ref, f"{ref.uid}-0", cause=QUOTA, namespace="default", now=0.0)
    woken.clear()
    lines.leave(gone, now=1.0)
    assert woken == [waits]
    assert lines.next_at(waits, now=1.0) is not None
    lines.leave(waits, now=2.0)
    lines.child_ended(namespace="default", now=3.0)
    assert lines.granted(waits, cause="", namespace="default", now=3.0) is None
