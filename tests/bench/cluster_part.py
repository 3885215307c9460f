"""Bare pods, native Jobs and BatchJobs in turns, in an embedded cluster of the bench's own."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from podwright.devcluster import ClusterSpec, EmbeddedCluster
from podwright.devcluster.processes import MARKER_VARIABLE
from tests.bench import counters, workloads
from tests.bench.errors import BenchError
from tests.bench.load import burst, paced
from tests.bench.observer import Observer
from tests.bench.operator_process import SERVICE_ACCOUNT, SYSTEM_NAMESPACE, operator, until_leading
from tests.bench.processes import Meter
from tests.bench.summary import summarize_round
from tests.cluster.shared import install
from tests.rest import Rest, Server

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from tests.bench.result import Parameters, Round
    from tests.bench.workloads import Workload

_MANIFESTS: Final = Path(__file__).parents[2] / "manifests"
_IDENTITY: Final = "bench"
_SETTLE_SECONDS: Final = 1.0
_SECONDS_PER_JOB: Final = 0.2  # slower than this is broken
_LEAST_SECONDS: Final = 60.0


def measure_cluster(
    parameters: Parameters, *, until: float, say: Callable[[str], None]
) -> tuple[list[Round], str, list[str]]:
    """Give the rounds, the version of Kubernetes, and notes. No round begins that is likely to end after `until` (monotonic)."""
    say("starting a cluster")
    spec = ClusterSpec(
        owned=True,
        fake_node_count=parameters.fake_nodes,
        fsync=False,
        # Only clears up faster between the rounds.
        flags={"kube-apiserver": ("--delete-collection-workers=16",)},
    )
    with EmbeddedCluster.start(spec) as cluster, tempfile.TemporaryDirectory(prefix="podwright-bench-") as directory:
        install(cluster, _MANIFESTS)
        cluster.kubectl("create", "namespace", workloads.NAMESPACE)
        # Without it pods are refused.
        account = ("serviceaccount/default", f"--namespace={workloads.NAMESPACE}")
        cluster.kubectl("wait", "--for=create", *account, "--timeout=30s")
        cluster.kubectl("apply", "--filename=-", stdin=counters.flow_schemas())
        schemas = [f"flowschema/{flow.name}" for flow in counters.FLOWS]
        # The API server sets it when it has taken a FlowSchema into account.
        cluster.kubectl("wait", "--for=condition=Dangling=False", *schemas, "--timeout=30s")
        kubeconfig = cluster.create_user_kubeconfig(
            service_account=SERVICE_ACCOUNT, namespace=SYSTEM_NAMESPACE, path=Path(directory) / "kubeconfig"
        )
        log = Path(directory) / "operator.log"
        # With the cluster's mark on it, it also goes when the cluster's watchdog has to clear up.
        mark = {MARKER_VARIABLE: cluster.state.cluster_id}
        with operator(kubeconfig, log=log, identity=_IDENTITY, environment=mark) as process:
            pids = {name: record.pid for name, record in cluster.processes.items()} | {"operator": process.pid}

            async def measure() -> tuple[list[Round], list[str]]:
                async with Rest(Server.from_kubeconfig(cluster.kubeconfig)) as rest:
                    await until_leading(rest, process, log=log, identity=_IDENTITY)
                    return await _Rounds(rest, parameters, pids=pids, say=say).run(until=until)

            rounds, notes = asyncio.run(measure())
        if complaints := log.read_text(encoding="utf-8", errors="replace").strip():
            notes.append(f"The operator complained: {complaints[:2000]}")
        return rounds, cluster.state.kubernetes_version, notes


class _Rounds:
    """The rounds of one run."""

    def __init__(self, rest: Rest, parameters: Parameters, *, pids: dict[str, int], say: Callable[[str], None]) -> None:
        self._rest = rest
        self._parameters = parameters
        self._pids = pids
        self._say = say
        self._notes: list[str] = []

    async def run(self, *, until: float) -> tuple[list[Round], list[str]]:
        for workload in workloads.ALL:
            await self._round("warm-up", workload, number=0, jobs=self._parameters.warm_up)
        rounds: list[Round] = []
        for number in range(self._parameters.rounds):
            began = time.monotonic()
            for load, jobs in (
                ("burst", self._parameters.jobs),
                ("paced", max(1, round(self._parameters.paced_rate * self._parameters.paced_seconds))),
            ):
                for workload in workloads.ALL:
                    measured = await self._round(load, workload, number=number, jobs=jobs)
                    self._say(f"round {number + 1} of {self._parameters.rounds}, {_sentence(measured, workload)}")
                    rounds.append(measured)
            now = time.monotonic()
            if number + 1 < self._parameters.rounds and now + (now - began) > until:
                self._notes.append(f"Only {number + 1} of {self._parameters.rounds} rounds: the time was up.")
                break
        return rounds, self._notes

    async def _round(self, load: str, workload: Workload, *, number: int, jobs: int) -> Round:
        names = [f"{workload.name}-{load}-{number}-{index}" for index in range(jobs)]
        patience = max(_LEAST_SECONDS, jobs * _SECONDS_PER_JOB)
        before = await self._writes()
        meter, began = Meter(self._pids), time.monotonic()
        async with Observer(self._rest, workload) as observer:
            if load == "paced":
                rate = self._parameters.paced_rate
                await paced(self._rest, workload, names, rate=rate, observer=observer)
            else:
                connections = self._parameters.connections
                await burst(self._rest, workload, names, connections=connections, observer=observer)
            await observer.until("finished", jobs, seconds=patience)
            await observer.until("let_go", jobs, seconds=patience)
            elapsed, cpu, resident = time.monotonic() - began, meter.cpu(), meter.resident()
            measured = summarize_round(
                load=load,
                workload=workload.name,
                timelines=list(observer.timelines.values()),
                writes=await self._writes() - before,
                elapsed=elapsed,
                cpu=cpu,
                resident=resident,
                other_load=meter.other_load(),
            )
        if observer.interruptions:
            self._notes.append(
                f"{workload.title}, {load}, round {number + 1}: the API server ended {observer.interruptions} watches of the"
                " client, so its latencies look longer than they were."
            )
        await self._clear(workload)
        return measured

    async def _writes(self) -> Counter[str]:
        async with self._rest.session.get("/metrics") as response:
            return counters.parse_writes(await response.text())

    async def _clear(self, workload: Workload) -> None:
        """Delete everything and wait until it is gone and the controllers are at rest."""
        paths = [workloads.PODS_PATH] if workload is workloads.PODS else [workload.path, workloads.PODS_PATH]
        query = {"propagationPolicy": "Background", "gracePeriodSeconds": "0"}
        until = time.monotonic() + max(_LEAST_SECONDS, self._parameters.jobs * _SECONDS_PER_JOB)
        for path in paths:
            while True:
                # Deleting many at once may fail half-way, for example by a pod that another one deletes as well.
                await self._rest.send("DELETE", path, query=query)
                answer = await self._rest.send("GET", path, query={"limit": "1"})
                if answer.code == 200 and not answer.body["items"]:
                    break
                if time.monotonic() > until:
                    raise BenchError(f"{path} couldn't be cleared: {answer.body}")
                await asyncio.sleep(0.1)
        await asyncio.sleep(_SETTLE_SECONDS)


def _sentence(measured: Round, workload: Workload) -> str:
    latency = measured.submit_to_pod
    return (
        f"{measured.load}, {workload.title}: {measured.jobs} in {measured.seconds:.1f} s, {measured.jobs_per_second:.0f}/s,"
        f" pod after p50 {1000 * latency.p50:.0f} ms p99 {1000 * latency.p99:.0f} ms"
        f" (other programs: {measured.other_load:.1f} cores)"
    )
