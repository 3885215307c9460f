"""What nobody foresaw, in the running engine: it costs the job that it happens to some time, never its life, and no other's."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from podwright.kube.codecs.answer import decode_job
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.key_lease import decode_key_lease, replace_key_lease
from podwright.kube.responses import ApiResponse
from podwright.runtime import problems
from podwright.runtime.leader_term import LeaderTerm
from podwright.runtime.writer import Send
from tests.simulation.test_gates import KEY, lease_key
from tests.simulation.world import World, decoded, started_world, until
from tests.support.builders import past_key_lease
from tests.support.simulator.kinds import LEASE
from tests.support.simulator.storage import Key

HOUR = 3600.0


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with started_world() as running:
        yield running


async def test_a_template_of_which_no_pod_can_be_made_is_told_and_the_job_can_be_cancelled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F25: a field of the pod is of another type than its definition says."""
    monkeypatch.setattr(problems, "_PAUSE", 0.1)
    world.submit("odd", template={"spec": {"containers": {"not": "a list"}}})
    world.submit("healthy")
    await until(lambda: world.is_over("healthy"))
    await until(lambda: world.status("odd").get("reason") == "InternalError")
    world.edit("odd", cancel="Graceful")
    await until(lambda: world.status("odd").get("phase") == "Cancelled")


async def test_a_status_that_cannot_be_written_again_stops_no_other(world: World) -> None:
    """F25: a time that is rounded into the year 10000."""
    world.submit("odd", suspend=True)
    await until(lambda: world.status("odd").get("phase") == "Suspended")
    world.set_status("odd", phase="Pending", startTime="9999-12-31T23:59:59.9999Z")
    world.edit("odd", suspend=False)
    await asyncio.sleep(0.2)
    world.submit("healthy")
    await until(lambda: "finishTime" in world.status("healthy"))


@pytest.mark.parametrize("spec", [{}, {"idempotencyKey": KEY}], ids=["job", "key"])
async def test_a_read_that_breaks_our_code_is_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch, spec: dict[str, Any]
) -> None:
    """The job, and all others with its key, would else wait for the answer for ever."""
    broken: list[bytes] = []

    def break_once(body: bytes) -> Any:
        if not broken:
            broken.append(body)
            raise ZeroDivisionError("boom")
        return (decode_key_lease if spec else decode_job)(body)

    if spec:
        monkeypatch.setattr("podwright.runtime.keys.decode_key_lease", break_once)
        create_key_lease(world, lease_key(), window="1.0")
    else:
        monkeypatch.setattr("podwright.runtime.controllers.job_reads.decode_job", break_once)
        # What the former leader may have done must be read first.
        world.terms.current = LeaderTerm(shard=0, epoch=2, baseline=10**9)
    world.submit("job", **spec)
    await until(lambda: "finishTime" in world.status("job"))
    assert broken


@pytest.mark.parametrize("first", [None, ApiResponse(503, b""), ApiResponse(409, b"")], ids=["told", "503", "409"])
async def test_a_new_leader_tells_of_what_it_cannot_understand(world: World, first: ApiResponse | None) -> None:
    """F25: it was listed before there was a leader, and what is to be told may not get through at once."""
    refused: list[ApiRequest] = []

    async def refuse_once(request: ApiRequest, send: Send) -> ApiResponse:
        if first is not None and not refused:
            refused.append(request)
            return first
        return await send(request)

    world.terms.current = None
    world.submit("odd", retry={"limit": 1, "initial": "soon"})
    await asyncio.sleep(0.1)
    assert world.status("odd") == {}
    world.fault = refuse_once
    world.terms.current = LeaderTerm(shard=0, epoch=2, baseline=0)
    world.engine.mark_all()
    await until(lambda: world.status("odd").get("reason") == "InternalError")
    await asyncio.sleep(0.2)
    written = len(world.writes)
    world.engine.mark_all()
    await asyncio.sleep(0.1)
    assert len(world.writes) == written, "it is told once"


async def test_a_clock_that_is_set_back_stops_nobody(world: World) -> None:
    """F15: times noted before it was set lie an hour ahead, and nobody may wait for them."""
    world.clock_error = HOUR
    await world_looks(world)
    world.submit("array", array={"size": 30, "parallelism": 5}, script={"duration": "200ms"})
    world.submit("refused")
    refused: list[float] = []

    async def refuse(request: ApiRequest, send: Send) -> ApiResponse:
        if len(refused) < 3:
            refused.append(time.time())
            return ApiResponse(503, b"", retry_after=None)
        return await send(request)

    await until(lambda: bool(world.pod_objects()))
    world.fault = refuse
    world.submit("job")
    await until(lambda: len(refused) == 3)
    world.clock_error = 0.0
    await until(lambda: world.is_over("job") and world.is_over("array"), seconds=15)
    assert {world.status(name)["phase"] for name in ("job", "array")} == {"Succeeded"}


async def world_looks(world: World) -> None:
    """Let the engine see the time once."""
    world.submit("first")
    await until(lambda: world.is_over("first"))


@pytest.mark.parametrize("window", ["inf", "nan"])
async def test_a_key_lease_with_a_senseless_window_stops_nobody(world: World, window: str) -> None:
    """F28: the sweep goes on, and with it the operator."""
    place = lease_key("odd")
    create_key_lease(world, place, window=window)
    await world.key_sweep._page()
    assert place in world.api.table(LEASE).objects
    world.submit("job", idempotencyKey="odd")
    await until(lambda: world.status("job").get("reason") == "KeyNotClaimable")


def create_key_lease(world: World, place: Key, *, window: str) -> None:
    """Create the Lease of a key whose holder is gone since long."""
    lease = past_key_lease(place.name)
    body = decoded(replace_key_lease(lease, namespace=place.namespace))
    body["metadata"]["annotations"]["podwright.dev/dedup-window-seconds"] = window
    world.api.create(LEASE, place.namespace, body, user="admin")
