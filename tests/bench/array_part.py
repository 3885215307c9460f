"""An array between two bursts of as many bare pods, on the same cluster, one after the other.

The bare pods are those of this run, of the same number and the same shape: what the cluster can do with pods that nobody
accounts for. They are measured before and after, since a cluster becomes slower by what it has done and a machine by what
its neighbours do. All are watched by the same client in the same way, so it costs all of them alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

import msgspec

from tests.bench import counters, workloads
from tests.bench.errors import BenchError
from tests.bench.observer import Observer
from tests.bench.processes import Meter, resident_mib
from tests.bench.result import ArrayRun
from tests.bench.rounds import patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from tests.bench.result import Round
    from tests.bench.rounds import Rounds
    from tests.bench.workloads import Workload
    from tests.support.rest import Rest

_LOOK_SECONDS: Final = 0.25  # between two looks at the memory


async def measure_array(rounds: Rounds, *, say: Callable[[str], None]) -> ArrayRun:
    """Measure as many bare pods, then the array, then the bare pods again."""
    tasks, parallelism = rounds.parameters.array_tasks, rounds.parameters.array_parallelism
    warm_up = rounds.parameters.warm_up
    former = await rounds.round("array-warm-up", workloads.PODS, number=0, jobs=warm_up)
    await _measure(rounds, "array-warm-up", tasks=warm_up, pods=[former])
    before = await _as_many_pods(rounds, number=0, say=say)
    found = await _measure(rounds, "array", tasks=tasks, pods=[before])
    say(
        f"array of {tasks}, {parallelism} at once: {found.seconds:.1f} s, {found.tasks_per_second:.0f}/s, all pods let go"
        f" after {found.released_seconds:.1f} s (other programs: {found.other_load:.1f} cores)"
    )
    after = await _as_many_pods(rounds, number=1, say=say)
    return msgspec.structs.replace(found, pods=[before, after])


async def _as_many_pods(rounds: Rounds, *, number: int, say: Callable[[str], None]) -> Round:
    tasks = rounds.parameters.array_tasks
    pods = await rounds.round("array", workloads.PODS, number=number, jobs=tasks)
    say(f"as many bare pods as the array has tasks: {tasks} in {pods.seconds:.1f} s, {pods.jobs_per_second:.0f}/s")
    return pods


async def measure_bulk_array(rounds: Rounds, *, beside: ArrayRun, say: Callable[[str], None]) -> ArrayRun:
    """Measure an array as large as a burst, with an operator whose accounting is bulk. `beside` is the other array."""
    found = await _measure(rounds, "bulk-array", tasks=rounds.parameters.jobs, pods=beside.pods)
    say(f"array of {found.tasks} with bulk accounting: {found.tasks_per_second:.0f}/s")
    return found


async def _measure(rounds: Rounds, name: str, *, tasks: int, pods: Sequence[Round]) -> ArrayRun:
    parallelism = rounds.parameters.array_parallelism
    workload = workloads.array(size=tasks, parallelism=parallelism)
    pid = rounds.pids["operator"]
    before, resident = await rounds.writes(), resident_mib(pid)
    meter, began = Meter(rounds.pids), time.monotonic()
    async with Observer(rounds.rest, workload) as observer, highest_memory(pid) as highest:
        await create_array(rounds.rest, workload, name, observer=observer, tasks=tasks)
        await observer.until("finished", 1, seconds=patience(tasks))
        finished = observer.timelines[name].finished
        if finished is None:
            raise BenchError(f"the array {name} finished at no time")
        await observer.until("let_go", tasks, seconds=patience(tasks))
        released, submitted = time.monotonic(), observer.timelines[name].submitted
        cpu, resident_after, other_load = meter.cpu(), resident_mib(pid), meter.other_load()
        writes, elapsed = await rounds.writes() - before, time.monotonic() - began
    rounds.note_interruptions(observer, f"array of {tasks}")
    await rounds.clear(workload, jobs=tasks)
    leases = f"{counters.OPERATOR}: {counters.LEASES}"
    return ArrayRun(
        tasks=tasks,
        parallelism=parallelism,
        seconds=finished - submitted,
        tasks_per_second=tasks / (finished - submitted),
        released_seconds=released - submitted,
        status_bytes=observer.largest_status(),
        writes={key: count / tasks for key, count in sorted(writes.items()) if count and key != leases},
        lease_writes=writes.get(leases, 0) / elapsed,
        cpu={process: seconds / tasks for process, seconds in cpu.items()},
        resident_before=resident,
        resident_highest=max(highest[0], resident_after),
        resident_after=resident_after,
        other_load=other_load,
        pods=list(pods),
    )


async def create_array(rest: Rest, workload: Workload, name: str, *, observer: Observer, tasks: int = 0) -> None:
    """Create an array; its timeline begins, and those of its first `tasks` tasks, which only one array at a time may have."""
    for index in range(tasks):
        observer.submitting(str(index))
    observer.submitting(name)
    answer = await rest.send("POST", workload.path, workload.manifest(name))
    if answer.code != 201:
        raise BenchError(f"array {name} was refused: {answer.code} {answer.body.get('message', '')}")


@contextlib.asynccontextmanager
async def highest_memory(pid: int) -> AsyncIterator[list[float]]:
    """Look at a process's memory while the block lasts; the only item of what it gives is the highest value, in MiB.

    The kernel's own peak counts from the start of the process, so it may tell of something else.
    """
    highest = [resident_mib(pid)]

    async def look() -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            highest[0] = max(highest[0], resident_mib(pid))

    looking = asyncio.create_task(look())
    try:
        yield highest
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError, BenchError):
            await looking
