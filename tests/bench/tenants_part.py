"""What one tenant can cost the others: floods of large arrays, jobs that are refused or time out, an array under a full quota.

On a cluster of its own, with fake nodes. The operator has its default settings; the tenants have what Kubernetes gives against
each other: namespaces, quotas and their own webhooks.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import statistics
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from podwright.devcluster import ClusterSpec
from podwright.devcluster.fake_nodes import ANNOTATION_PREFIX
from tests.bench import counters, load, workloads
from tests.bench.array_part import create_array, highest_memory
from tests.bench.errors import BenchError
from tests.bench.observer import Observer
from tests.bench.processes import require_running
from tests.bench.ready_cluster import ready_cluster
from tests.bench.result import FloodRun, QuotaRun, TenantsRun
from tests.bench.rounds import patience
from tests.cluster.poison.poisons import Attacker, five_hundred

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.bench.ready_cluster import ReadyCluster
    from tests.bench.result import Parameters
    from tests.support.rest import Rest

_QUOTA_OF_THE_FLOOD: Final = 50
"""Without one an array of this parallelism would make the API server, not the operator, the one that suffers."""
_TASK_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.2
_PATIENCE: Final = 60.0
"""Of a burst of good jobs, in seconds."""
_LAG: Final = re.compile(r'^podwright_loop_held_seconds_bucket\{le="(\S+)"\} (\S+)$', re.MULTILINE)


def measure_tenants(parameters: Parameters, *, say: Callable[[str], None]) -> TenantsRun:
    """Measure it; takes about two minutes with the sizes of a default run."""
    say("starting a cluster for tenants that harm each other")
    spec = ClusterSpec(owned=True, fake_node_count=parameters.fake_nodes, fsync=False)
    with ready_cluster(spec) as ready:

        async def measure(rest: Rest) -> TenantsRun:
            return await _measure(ready, rest, parameters, say=say)

        # That the operator complains of the bad jobs in its log is as it should be.
        return ready.run(measure)


async def _measure(
    ready: ReadyCluster, rest: Rest, parameters: Parameters, *, say: Callable[[str], None]
) -> TenantsRun:
    quota = await _measure_quota(rest, parameters)
    say(
        f"an array under a full quota: {quota.requests_per_task:.2f} requests per task,"
        f" {100 * quota.busy:.0f} % of the quota busy"
    )
    require_running(ready.operator, log=ready.log)
    beside = await _measure_beside(ready, rest, parameters, say=say)
    require_running(ready.operator, log=ready.log)
    say(f"beside {parameters.refused_jobs} refused jobs: {beside:.2f} of the undisturbed rate")
    flood = await _measure_flood(ready, rest, parameters)
    require_running(ready.operator, log=ready.log)
    say(f"{flood.arrays} arrays at once: {flood.resident_highest:.0f} MiB")
    return TenantsRun(refused_jobs=parameters.refused_jobs, ratio_beside_refused=beside, quota=quota, flood=flood)


async def _measure_quota(rest: Rest, parameters: Parameters) -> QuotaRun:
    """Run an array that may have all its pods at once in a namespace that may have a few."""
    tasks, pods = parameters.quota_tasks, parameters.quota_pods
    await _limit(rest, workloads.NAMESPACE, pods=pods)
    annotations = {f"{ANNOTATION_PREFIX}duration": f"{_TASK_SECONDS:g}s"}
    workload = workloads.array(annotations=annotations, size=tasks, parallelism=tasks)
    before = await _operator_writes(rest)
    async with Observer(rest, workload) as observer:
        await create_array(rest, workload, "quota", observer=observer, tasks=tasks)
        await observer.until("created", pods, seconds=patience(tasks))
        began, busy = time.monotonic(), []
        # The last ones can't fill it any more.
        while observer.created < tasks:
            if time.monotonic() - began > patience(tasks) + tasks / pods * 10 * _TASK_SECONDS:
                raise BenchError(f"only {observer.created} of {tasks} tasks had a pod under the quota")
            busy.append((observer.created - observer.ended) / pods)
            await asyncio.sleep(_LOOK_SECONDS)
        await observer.until("finished", 1, seconds=patience(tasks))
        await observer.until("let_go", tasks, seconds=patience(tasks))
    requests = await _operator_writes(rest) - before
    await _limit(rest, workloads.NAMESPACE, pods=None)
    return QuotaRun(tasks=tasks, pods=pods, requests_per_task=requests / tasks, busy=statistics.fmean(busy))


async def _measure_beside(
    ready: ReadyCluster, rest: Rest, parameters: Parameters, *, say: Callable[[str], None]
) -> float:
    """Return the rate of good jobs beside bad ones of another namespace, as a part of the rate before and after."""
    await _burst(rest, "warm-up", parameters.warm_up, connections=parameters.connections)
    before = await _burst(rest, "before", parameters.beside_jobs, connections=parameters.connections)
    say(f"good jobs alone: {before:.0f}/s")
    async with _namespace(rest, "refused"):
        attacker = Attacker(ready.cluster, "refused", scale=parameters.refused_jobs / 500)
        close = await asyncio.to_thread(five_hundred, attacker)
        try:
            await asyncio.sleep(parameters.rest_seconds)
            beside = await _burst(rest, "beside", parameters.beside_jobs, connections=parameters.connections)
        finally:
            close()
    say(f"good jobs beside {parameters.refused_jobs} refused ones: {beside:.0f}/s")
    await asyncio.sleep(parameters.rest_seconds)
    after = await _burst(rest, "after", parameters.beside_jobs, connections=parameters.connections)
    return 2 * beside / (before + after)


async def _burst(rest: Rest, name: str, jobs: int, *, connections: int) -> float:
    """Return the rate of a burst; of one that is held up for too long the rate of what was finished by then."""
    workload = workloads.BATCH_JOB
    async with Observer(rest, workload) as observer:
        began = time.monotonic()
        names = [f"{name}-{number}" for number in range(jobs)]
        await load.burst(rest, workload, names, connections=connections, observer=observer)
        try:
            await observer.until("finished", jobs, seconds=_PATIENCE)
        except BenchError:
            if observer.problem:
                raise
        return observer.finished / (time.monotonic() - began)


async def _measure_flood(ready: ReadyCluster, rest: Rest, parameters: Parameters) -> FloodRun:
    """Submit arrays of great parallelism and large templates at once, and watch what the operator takes."""
    workload = workloads.array(
        namespace="flood",
        padding=parameters.flood_template_bytes,
        size=parameters.flood_parallelism,
        parallelism=parameters.flood_parallelism,
    )
    pid = ready.operator.pid
    async with _namespace(rest, "flood"):
        await _limit(rest, "flood", pods=_QUOTA_OF_THE_FLOOD)
        before = await _lags(ready)
        async with highest_memory(pid) as highest:
            for number in range(parameters.flood_arrays):
                answer = await rest.send("POST", workload.path, workload.manifest(f"flood-{number}"))
                if answer.code != 201:
                    raise BenchError(f"an array was refused: {answer.code} {answer.body.get('message', '')}")
            await asyncio.sleep(parameters.flood_seconds)
            resident = highest[0]
        after = await _lags(ready)
    return FloodRun(
        arrays=parameters.flood_arrays,
        parallelism=parameters.flood_parallelism,
        template_bytes=parameters.flood_template_bytes,
        resident_highest=resident,
        longest_turn_seconds=longest(before, after),
    )


async def _lags(ready: ReadyCluster) -> Counter[float]:
    """Return how often the operator's own work held up its event loop for at most so many seconds; empty if it doesn't say."""
    async with aiohttp.ClientSession() as session, session.get(ready.metrics_address) as response:
        found = _LAG.findall(await response.text())
    return Counter({float(bound): round(float(count)) for bound, count in found})


def longest(before: Counter[float], after: Counter[float]) -> float | None:
    """Return the least bound that no lag between two readings of a histogram's cumulative buckets exceeded; None if unknown.

    Of one that exceeded all bounds only that is known: then it is twice the highest.
    """
    total = after[math.inf] - before[math.inf]
    bounds = sorted(bound for bound in after if bound != math.inf)
    within = (bound for bound in bounds if after[bound] - before[bound] == total)
    return next(within, 2 * bounds[-1]) if bounds else None


async def _operator_writes(rest: Rest) -> float:
    """Count what the operator asked the API server to write, refusals included, but for its Lease."""
    async with rest.session.get("/metrics") as response:
        writes = counters.parse_writes(await response.text())
    leases = f"{counters.OPERATOR}: {counters.LEASES}"
    return sum(count for key, count in writes.items() if key.startswith(f"{counters.OPERATOR}: ") and key != leases)


async def _limit(rest: Rest, namespace: str, *, pods: int | None) -> None:
    """Let the namespace have so many pods at once, and return when that is in force; None: as many as it likes."""
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    if pods is None:
        await rest.send("DELETE", f"{path}/pods")
        return
    body: dict[str, Any] = {"metadata": {"name": "pods"}, "spec": {"hard": {"pods": str(pods)}}}
    answer = await rest.send("POST", path, body)
    if answer.code != 201:
        raise BenchError(f"no quota could be made: {answer.body}")
    async with asyncio.timeout(30):
        while "hard" not in (await rest.send("GET", f"{path}/pods")).body.get("status", {}):  # noqa: ASYNC110 -- nothing tells
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def _namespace(rest: Rest, name: str) -> AsyncIterator[None]:
    """Make a namespace in which pods can be created; it goes, with all that is in it, after the block."""
    answer = await rest.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    if answer.code != 201:
        raise BenchError(f"no namespace {name} could be made: {answer.body}")
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    async with asyncio.timeout(30):
        while (await rest.send("GET", account)).code != 200:  # noqa: ASYNC110 -- nothing tells
            await asyncio.sleep(0.05)
    try:
        yield
    finally:
        await rest.send("DELETE", f"/api/v1/namespaces/{name}")
