"""The operator alone, against the simulator of the API server in another process: its CPU, its memory, its restart."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from podwright.devcluster.fake_nodes import ANNOTATION_PREFIX
from tests.bench import workloads
from tests.bench.load import burst
from tests.bench.observer import Observer
from tests.bench.processes import TICK_SECONDS, Meter, cpu_seconds, resident_mib
from tests.bench.result import EngineMemory, EngineThroughput
from tests.bench.simulated import leader, simulator, submitter

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.result import Parameters
    from tests.bench.workloads import Workload
    from tests.support.rest import Rest

_ENDLESS: Final = workloads.endless_batch_job(f"{ANNOTATION_PREFIX}duration")
_PATIENCE: Final = 300.0


def measure_throughput(parameters: Parameters, *, say: Callable[[str], None]) -> EngineThroughput:
    """As many jobs at once as are asked for, from the first submission to the last end."""
    return asyncio.run(_throughput(parameters, say))


def measure_memory(parameters: Parameters, *, say: Callable[[str], None]) -> EngineMemory:
    """Memory with many jobs that run, then with many more that ended, then a restart."""
    return asyncio.run(_memory(parameters, say))


async def _throughput(parameters: Parameters, say: Callable[[str], None]) -> EngineThroughput:
    jobs = parameters.engine_jobs
    with simulator() as (process_of_api, server, directory):
        async with submitter(server) as rest, leader(rest, directory, server) as process:
            await _run(rest, workloads.BATCH_JOB, "warm-up", parameters.warm_up, parameters)
            meter = Meter({"operator": process.pid, "simulator": process_of_api.pid})
            seconds = await _run(rest, workloads.BATCH_JOB, "job", jobs, parameters)
            cpu = meter.cpu()
            result = EngineThroughput(
                jobs=jobs,
                seconds=seconds,
                jobs_per_second=jobs / seconds,
                cpu_per_job=max(cpu["operator"], TICK_SECONDS) / jobs,
                simulator_cpu_per_job=cpu["simulator"] / jobs,
                other_load=meter.other_load(),
            )
    say(f"engine alone: {result.jobs_per_second:.0f} jobs/s, {1000 * result.cpu_per_job:.2f} ms of CPU per job")
    return result


async def _memory(parameters: Parameters, say: Callable[[str], None]) -> EngineMemory:
    active, finished = parameters.active_jobs, parameters.finished_jobs
    with simulator() as (_, server, directory):
        async with submitter(server) as rest:
            async with leader(rest, directory, server) as process:
                idle = resident_mib(process.pid)
                await _run(rest, _ENDLESS, "active", active, parameters, what="running")
                await asyncio.sleep(parameters.rest_seconds)
                with_active, peak = resident_mib(process.pid), resident_mib(process.pid, peak=True)
                say(f"engine alone: {with_active:.0f} MiB with {active} active jobs ({idle:.0f} MiB without)")
                # The first ones make the memory that work under way takes, which is used again by those that follow.
                await _run(rest, workloads.BATCH_JOB, "former", finished, parameters)
                await asyncio.sleep(parameters.rest_seconds)
                with_former = resident_mib(process.pid)
                await _run(rest, workloads.BATCH_JOB, "finished", finished, parameters)
                await asyncio.sleep(parameters.rest_seconds)
                with_finished = resident_mib(process.pid)
                say(f"engine alone: {1024 * (with_finished - with_former) / finished:.2f} KiB per further finished job")
            async with Observer(rest, workloads.BATCH_JOB) as observer:
                await burst(rest, workloads.BATCH_JOB, ["waiting"], connections=1, observer=observer)
                began = time.monotonic()
                async with leader(rest, directory, server, identity="second") as process:
                    await observer.until("created", 1, seconds=_PATIENCE)
                    restart, cpu = time.monotonic() - began, cpu_seconds(process.pid)
                    await asyncio.sleep(parameters.rest_seconds)
                    restarted = resident_mib(process.pid)
            say(f"engine alone: acts {restart:.1f} s after a restart with {active} active jobs")
    return EngineMemory(
        active_jobs=active,
        resident_idle=idle,
        resident_active=with_active,
        resident_active_peak=peak,
        finished_jobs=finished,
        resident_former=with_former,
        resident_finished=with_finished,
        restart_seconds=restart,
        resident_restarted=restarted,
        cpu_restart=cpu,
    )


async def _run(
    rest: Rest, workload: Workload, prefix: str, jobs: int, parameters: Parameters, *, what: str = "finished"
) -> float:
    """Submit jobs and wait until all are `what`; give the seconds from the first submission to then."""
    if not jobs:
        return 0.0
    async with Observer(rest, workload) as observer:
        names = [f"{prefix}-{index}" for index in range(jobs)]
        await burst(rest, workload, names, connections=parameters.connections, observer=observer)
        await observer.until(what, jobs, seconds=_PATIENCE)
        ended = time.monotonic()
        if what == "finished":
            await observer.until("let_go", jobs, seconds=_PATIENCE)
        return ended - min(timeline.submitted for timeline in observer.timelines.values())
