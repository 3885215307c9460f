"""One round on a cluster: a load of one kind of workload from its submission until everything is gone again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from tests.bench import counters, workloads
from tests.bench.errors import BenchError
from tests.bench.load import burst, paced
from tests.bench.observer import Observer
from tests.bench.processes import Meter
from tests.bench.summary import summarize_round

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from tests.bench.ready_cluster import ReadyCluster
    from tests.bench.result import Parameters, Round
    from tests.bench.workloads import Workload
    from tests.support.rest import Rest

_SECONDS_PER_JOB: Final = 0.2  # slower than this is broken
_LEAST_SECONDS: Final = 60.0


def patience(jobs: int) -> float:
    """Seconds after which so many jobs, or tasks, will never end."""
    return max(_LEAST_SECONDS, jobs * _SECONDS_PER_JOB)


class Rounds:
    """Takes the rounds of one run; what to know about them is in `notes`."""

    def __init__(self, rest: Rest, parameters: Parameters, *, cluster: ReadyCluster) -> None:
        self.rest = rest
        self.parameters = parameters
        self._cluster = cluster
        self.notes: list[str] = []

    @property
    def pids(self) -> Mapping[str, int]:
        """The processes that are measured, by name."""
        return self._cluster.pids

    async def round(self, load: str, workload: Workload, *, number: int, jobs: int) -> Round:
        """Submit `jobs` objects, wait for the end of all, and clear up."""
        names = [f"{workload.name}-{load}-{number}-{index}" for index in range(jobs)]
        before = await self.writes()
        meter, began = Meter(self.pids), time.monotonic()
        async with Observer(self.rest, workload) as observer:
            if load == "paced":
                rate = self.parameters.paced_rate
                await paced(self.rest, workload, names, rate=rate, observer=observer)
            else:
                connections = self.parameters.connections
                await burst(self.rest, workload, names, connections=connections, observer=observer)
            await observer.until("finished", jobs, seconds=patience(jobs))
            await observer.until("let_go", jobs, seconds=patience(jobs))
            elapsed, cpu, resident = time.monotonic() - began, meter.cpu(), meter.resident()
            measured = summarize_round(
                load=load,
                workload=workload.name,
                timelines=list(observer.timelines.values()),
                writes=await self.writes() - before,
                elapsed=elapsed,
                cpu=cpu,
                resident=resident,
                other_load=meter.other_load(),
            )
        self.note_interruptions(observer, f"{workload.title}, {load}, round {number + 1}")
        await self.clear(workload, jobs=jobs)
        return measured

    async def writes(self) -> Counter[str]:
        """What the API server has counted so far, as `counters.parse_writes` gives it."""
        async with self.rest.session.get("/metrics") as response:
            return counters.parse_writes(await response.text())

    async def clear(self, workload: Workload, *, jobs: int) -> None:
        """Delete everything and wait until it is gone and the controllers are at rest."""
        paths = [workloads.PODS_PATH] if workload is workloads.PODS else [workload.path, workloads.PODS_PATH]
        query = {"propagationPolicy": "Background", "gracePeriodSeconds": "0"}
        until = time.monotonic() + patience(jobs)
        for path in paths:
            while True:
                # Deleting many at once may fail half-way, for example by a pod that another one deletes as well.
                await self.rest.send("DELETE", path, query=query)
                answer = await self.rest.send("GET", path, query={"limit": "1"})
                if answer.code == 200 and not answer.body["items"]:
                    break
                if time.monotonic() > until:
                    raise BenchError(f"{path} couldn't be cleared: {answer.body}")
                await asyncio.sleep(0.1)
        await asyncio.sleep(self.parameters.rest_seconds / 2)

    def note_interruptions(self, observer: Observer, what: str) -> None:
        """Report that the client was too slow for the API server, which makes what it observed look late."""
        if observer.interruptions:
            self.notes.append(
                f"{what}: the API server ended {observer.interruptions} watches of the client, so its latencies look longer"
                " than they were."
            )
