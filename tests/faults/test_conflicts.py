"""F12: somebody else changes everything all the time."""

import asyncio
import contextlib
import itertools
import time

import pytest

from podwright.core.constants import names
from tests.faults.actions import Hold
from tests.faults.world import World, jobs_path, pods_path
from tests.support.rest import MERGE
from tests.support.simulator.manifests import job, script

_INTERVAL = 0.01
_JOBS = 3


async def test_conflict_storm_only_slows_down(any_world: World) -> None:
    """F12: labels of every job and pod change a hundred times a second; writes and delay stay within bounds (I14)."""
    world = any_world
    await world.start_operator()
    namespace = await world.new_namespace()
    storm = asyncio.create_task(label_everything(world, namespace))
    began = time.monotonic()
    try:
        for number in range(_JOBS):
            told = script(exit_codes="1,0", duration="100ms")
            await world.submit(
                namespace, job(f"job-{number}", annotations=told, retry={"initial": "1ms", "max": "1ms"})
            )
        await world.settle(namespace)
    finally:
        storm.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await storm
    took = time.monotonic() - began
    world.check(namespace)
    writes = world.proxy.history.writes(namespace)
    conflicts = [known for known in writes if known.code == 409]
    # Undisturbed, a job with two attempts takes 6 writes, and 2 more if its phase Running is told.
    assert len(writes) - len(conflicts) <= _JOBS * 8, [str(known) for known in writes]
    assert len(conflicts) <= _JOBS * 60, f"{len(conflicts)} conflicts"
    assert took < 15.0, f"it took {took:.1f} s"


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_verdict_on_an_old_picture_is_refused_and_thought_over(world: World, number: int) -> None:
    """F12: while a status is on its way the job changes; only its resourceVersion keeps the one from undoing the other."""
    await world.start_operator()
    namespace = await world.new_namespace()
    hold = Hold()
    world.proxy.add(hold, verb="patch", resource=f"{names.JOB_PLURAL}/status", skip=number, count=1)
    told = script(exit_codes="1,1,1", duration="20ms")
    await world.submit(namespace, job("changes", annotations=told, retry={"initial": "1ms", "max": "1ms"}))
    await world.log.until(lambda: hold.holding == 1, seconds=10, what="a status is on its way")
    await world.change(namespace, "changes", {"priority": 7})
    hold.release()
    await world.settle(namespace)
    world.check(namespace)
    statuses = [known for known in world.proxy.history.writes(namespace) if known.resource.endswith("/status")]
    assert statuses[number].code == 409, [str(known) for known in statuses]


async def label_everything(world: World, namespace: str) -> None:
    """Change a label of all that is there, until cancelled."""
    for number in itertools.count():
        labels = {"metadata": {"labels": {"storm": str(number)}}}
        paths = [jobs_path(namespace, known.name) for known in world.log.present_jobs(namespace)]
        paths += [pods_path(namespace, known.name) for known in world.log.present_pods(namespace)]
        await asyncio.gather(*(world.rest.send("PATCH", path, labels, content_type=MERGE) for path in paths))
        await asyncio.sleep(_INTERVAL)
