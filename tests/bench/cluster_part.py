"""Bare pods, native Jobs and BatchJobs with either accounting in turns, and an array, in an embedded cluster of the bench's own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from podwright.core.accounting import Accounting
from podwright.devcluster import ClusterSpec
from tests.bench import workloads
from tests.bench.array_part import measure_array, measure_bulk_array
from tests.bench.ready_cluster import ready_cluster
from tests.bench.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.ready_cluster import ReadyCluster
    from tests.bench.result import ArrayRun, Parameters, Round
    from tests.bench.workloads import Workload
    from tests.support.rest import Rest

_SECONDS_PER_TASK: Final = 0.038
"""What an array takes of the time, with the bare pods that it is compared with and clearing up after both."""


class ClusterRun(NamedTuple):
    """What was measured on the cluster."""

    rounds: list[Round]
    array: ArrayRun | None
    bulk_array: ArrayRun | None
    kubernetes: str
    notes: list[str]


def measure_cluster(parameters: Parameters, *, until: float, say: Callable[[str], None]) -> ClusterRun:
    """Measure what is asked for. No round begins that is likely to end after `until` (monotonic)."""
    say("starting a cluster")
    spec = ClusterSpec(
        owned=True,
        fake_node_count=parameters.fake_nodes,
        fsync=False,
        # Only clears up faster between the rounds.
        flags={"kube-apiserver": ("--delete-collection-workers=16",)},
    )
    with ready_cluster(spec) as ready:

        async def measure(rest: Rest) -> ClusterRun:
            taken = Rounds(rest, parameters, cluster=ready)
            reserved = _SECONDS_PER_TASK * parameters.array_tasks if parameters.array else 0.0
            for workload in workloads.ALL if parameters.cluster else ():
                await taken.round("warm-up", workload, number=0, jobs=parameters.warm_up)
            rounds = await _rounds(taken, ready, until=until - reserved, say=say) if parameters.cluster else []
            # After them, so that what its pods leave in memory is in nobody else's numbers.
            array = await measure_array(taken, say=say) if parameters.array else None
            if array is None:
                return ClusterRun(rounds, None, None, ready.kubernetes, taken.notes)
            await ready.use_accounting(rest, Accounting.BULK)
            bulk_array = await measure_bulk_array(taken, beside=array, say=say)
            return ClusterRun(rounds, array, bulk_array, ready.kubernetes, taken.notes)

        found = ready.run(measure)
    return found._replace(notes=found.notes + ready.notes)


async def _rounds(taken: Rounds, ready: ReadyCluster, *, until: float, say: Callable[[str], None]) -> list[Round]:
    parameters = taken.parameters
    rounds: list[Round] = []
    for number in range(parameters.rounds):
        began = time.monotonic()
        for load, jobs in (
            ("burst", parameters.jobs),
            ("paced", max(1, round(parameters.paced_rate * parameters.paced_seconds))),
        ):
            for workload in (*workloads.ALL, workloads.BULK) if load == "burst" else workloads.ALL:
                await _prepare(taken, ready, workload)
                measured = await taken.round(load, workload, number=number, jobs=jobs)
                say(f"round {number + 1} of {parameters.rounds}, {_sentence(measured, workload)}")
                rounds.append(measured)
        now = time.monotonic()
        if number + 1 < parameters.rounds and now + (now - began) > until:
            taken.notes.append(f"Only {number + 1} of {parameters.rounds} rounds: the time was up.")
            break
    return rounds


async def _prepare(taken: Rounds, ready: ReadyCluster, workload: Workload) -> None:
    """Have the operator that a workload needs, warm."""
    if workload.accounting not in (None, ready.accounting):
        await ready.use_accounting(taken.rest, workload.accounting)
        await taken.round("warm-up", workload, number=0, jobs=taken.parameters.warm_up)


def _sentence(measured: Round, workload: Workload) -> str:
    latency = measured.submit_to_pod
    return (
        f"{measured.load}, {workload.title}: {measured.jobs} in {measured.seconds:.1f} s, {measured.jobs_per_second:.0f}/s,"
        f" pod after p50 {1000 * latency.p50:.0f} ms p99 {1000 * latency.p99:.0f} ms"
        f" (other programs: {measured.other_load:.1f} cores)"
    )
