"""Packed tasks on one real node: real containers, real processes, and how many tasks that is per second.

Beside them, on the same node, tasks with a pod each, all of them at once, which is faster there than a few at a time. They
are few, because each takes a good part of a second; that as many as the packed ones would be no faster is assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from podwright.devcluster import ClusterSpec, NodeKind
from podwright.devcluster.real_node import why_not_real
from tests.bench import workloads
from tests.bench.array_part import create_array
from tests.bench.errors import BenchError
from tests.bench.observer import Observer
from tests.bench.ready_cluster import ready_cluster
from tests.bench.result import PackedRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.result import Parameters
    from tests.support.rest import Rest

_PARALLELISM: Final = 2
_PACK_PARALLELISM: Final = 4
_WARM_UP: Final = 2
_PATIENCE: Final = 300.0


def measure_packed(parameters: Parameters, *, say: Callable[[str], None]) -> tuple[PackedRun | None, list[str]]:
    """Measure it, and give notes; None if this machine can have no real node."""
    if why_not := why_not_real():
        return None, [f"Packed tasks are not measured: {why_not}"]
    say("starting a cluster with a real node")
    with ready_cluster(ClusterSpec(owned=True, nodes=NodeKind.REAL, fsync=False)) as ready:

        async def measure(rest: Rest) -> PackedRun:
            return await _measure(rest, parameters, say=say)

        found = ready.run(measure)
    return found, [f"With the real node: {note}" for note in ready.notes]


async def _measure(rest: Rest, parameters: Parameters, *, say: Callable[[str], None]) -> PackedRun:
    await _run(rest, "warm-up", size=_WARM_UP)
    await _run(rest, "packed-warm-up", size=_WARM_UP, pack=_WARM_UP)
    single, tasks, pack = parameters.single_tasks, parameters.packed_tasks, parameters.pack
    single_seconds = await _run(rest, "single", size=single, parallelism=single)
    say(f"real node, a pod for each task: {single} in {single_seconds:.1f} s, {single / single_seconds:.1f}/s")
    seconds = await _run(
        rest, "packed", size=tasks, parallelism=_PARALLELISM, pack=pack, packParallelism=_PACK_PARALLELISM
    )
    say(f"real node, {pack} tasks in a pod: {tasks} in {seconds:.1f} s, {tasks / seconds:.0f}/s")
    return PackedRun(
        tasks=tasks,
        pack=pack,
        parallelism=_PARALLELISM,
        pack_parallelism=_PACK_PARALLELISM,
        seconds=seconds,
        tasks_per_second=tasks / seconds,
        single_tasks=single,
        single_seconds=single_seconds,
        single_per_second=single / single_seconds,
    )


async def _run(rest: Rest, name: str, **fields: Any) -> float:
    """Run an array to its end; give the seconds from its submission until then."""
    workload = workloads.array(**fields)
    async with Observer(rest, workload) as observer:
        await create_array(rest, workload, name, observer=observer)
        await observer.until("finished", 1, seconds=_PATIENCE)
        timeline = observer.timelines[name]
    answer = await rest.send("GET", f"{workload.path}/{name}")
    done = answer.body["status"]["progress"]
    if timeline.finished is None or done != f"{fields['size']}/{fields['size']}":
        raise BenchError(f"only {done} tasks of array {name} succeeded")
    return timeline.finished - timeline.submitted
