"""What the records of large arrays take: the operator's memory and bytes of status, without a cluster.

What takes room is gaps between tasks that are done (`core.array.size`). To run so many tasks that there are many gaps would
take minutes, so the arrays are begun where an operator before this one could have left them: of every few tasks one is still
to be run. The operator runs some of those and then ends the arrays, whose success policies ask for no more.

There are several arrays because what one takes is less than what the memory of a process goes up and down by. Others before
them make the memory that work under way takes. Few tasks are run, as a finished pod takes memory until it is deleted; what
that is, `engine_part` measures.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from podwright.core.values.index_set import IndexSet
from tests.bench import workloads
from tests.bench.array_part import create_array, highest_memory
from tests.bench.errors import BenchError
from tests.bench.observer import Observer
from tests.bench.processes import resident_mib
from tests.bench.result import ArrayRecordRun
from tests.bench.simulated import leader, simulator, submitter
from tests.support.rest import MERGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.result import Parameters
    from tests.support.rest import Rest

_LEFT: Final = 20
"""One of so many tasks is left to be run. With fewer between them the record of 100,000 would have more gaps than it may."""
_RUN: Final = 100  # tasks of each array that are run before it ends
_PARALLELISM: Final = 50
_WARM_UPS: Final = 3
_PATIENCE: Final = 60.0


def measure_record(parameters: Parameters, *, say: Callable[[str], None]) -> ArrayRecordRun:
    """Measure it; takes about 20 seconds with the sizes of a default run."""
    found = asyncio.run(_measure(parameters))
    say(
        f"engine alone: {found.arrays} arrays of {found.tasks} take {found.bytes_per_task:.0f} B of memory per task, and up to"
        f" {found.status_bytes / 1024:.0f} KiB of status each"
    )
    return found


async def _measure(parameters: Parameters) -> ArrayRecordRun:
    tasks, arrays = parameters.record_tasks, parameters.record_arrays
    done = IndexSet.of_ranges((low, min(low + _LEFT, tasks) - 2) for low in range(0, tasks - 1, _LEFT))
    run = min(_RUN, tasks - len(done))
    small = workloads.array(size=_RUN, parallelism=_PARALLELISM)
    enough = {"count": len(done) + run}
    large = workloads.array(suspend=True, size=tasks, parallelism=_PARALLELISM, successPolicy=enough)
    with simulator() as (_, server, directory):
        async with submitter(server) as rest, leader(rest, directory, server) as process:
            for number in range(_WARM_UPS):
                async with Observer(rest, small) as observer:
                    for index in range(arrays):
                        await create_array(rest, small, f"warm-up-{number}-{index}", observer=observer)
                    await observer.until("finished", arrays, seconds=_PATIENCE)
                await asyncio.sleep(parameters.rest_seconds)
            before = resident_mib(process.pid)
            names = [f"large-{index}" for index in range(arrays)]
            async with Observer(rest, large) as observer, highest_memory(process.pid) as highest:
                for name in names:
                    await create_array(rest, large, name, observer=observer)
                for name in names:
                    await _pretend(rest, name, tasks=tasks, done=done)
                for name in names:
                    await _change(rest, f"{large.path}/{name}", {"spec": {"suspend": False}})
                await observer.until("finished", arrays, seconds=_PATIENCE)
            await asyncio.sleep(parameters.rest_seconds)
            after = resident_mib(process.pid)
            for name in names:
                await _require_record(rest, name, at_least=enough["count"], done=done)
    return ArrayRecordRun(
        arrays=arrays,
        tasks=tasks,
        ranges=len(done.ranges),
        resident_before=before,
        resident_highest=max(highest[0], after),
        resident_after=after,
        status_bytes=observer.largest_status(),
    )


async def _pretend(rest: Rest, name: str, *, tasks: int, done: IndexSet) -> None:
    """Write into the status of a suspended array what a former operator would have recorded."""
    path = f"{workloads.BATCH_JOB.path}/{name}"
    async with asyncio.timeout(_PATIENCE):
        while (await rest.send("GET", path)).body.get("status", {}).get("phase") != "Suspended":  # noqa: ASYNC110 -- nothing tells
            await asyncio.sleep(0.05)
    array = {"succeeded": len(done), "failed": 0, "succeededIndexes": str(done)}
    status = {"array": array, "progress": f"{len(done)}/{tasks}", "attemptCount": len(done)}
    await _change(rest, f"{path}/status", {"status": status})


async def _require_record(rest: Rest, name: str, *, at_least: int, done: IndexSet) -> None:
    """Raise BenchError unless the operator took over the record: another one would mislead."""
    array = (await rest.send("GET", f"{workloads.BATCH_JOB.path}/{name}")).body.get("status", {}).get("array", {})
    succeeded = IndexSet.parse(array.get("succeededIndexes", ""))
    if done - succeeded or len(succeeded) < at_least:
        raise BenchError(f"array {name} has {len(succeeded)} tasks on record as succeeded, which should be {at_least}")


async def _change(rest: Rest, path: str, change: dict[str, Any]) -> None:
    answer = await rest.send("PATCH", path, change, content_type=MERGE)
    if answer.code != 200:
        raise BenchError(f"{path} couldn't be changed: {answer.body.get('message', answer.code)}")
