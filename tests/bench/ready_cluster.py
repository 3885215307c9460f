"""An embedded cluster of the bench's own in which an operator leads. Used by the parts that need a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from podwright.devcluster import EmbeddedCluster
from podwright.devcluster.processes import MARKER_VARIABLE
from tests.bench import counters, workloads
from tests.bench.operator_process import SERVICE_ACCOUNT, SYSTEM_NAMESPACE, operator, until_leading
from tests.cluster.shared import install
from tests.rest import Rest, Server

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Awaitable, Callable, Iterator

    from podwright.devcluster import ClusterSpec

_MANIFESTS: Final = Path(__file__).parents[2] / "manifests"
_IDENTITY: Final = "bench"
Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class ReadyCluster:
    """What a measurement needs to know of it. `notes` are complete when the block has ended."""

    cluster: EmbeddedCluster
    operator: subprocess.Popen[bytes]
    log: Path
    notes: list[str] = field(default_factory=list)

    @property
    def kubernetes(self) -> str:
        """The version of Kubernetes."""
        return self.cluster.state.kubernetes_version

    @property
    def pids(self) -> dict[str, int]:
        """The processes of the cluster and the operator, by name."""
        return {name: record.pid for name, record in self.cluster.processes.items()} | {"operator": self.operator.pid}

    def run(self, measure: Callable[[Rest], Awaitable[Found]]) -> Found:
        """Run a measurement as the cluster's administrator, when the operator leads."""

        async def run() -> Found:
            async with Rest(Server.from_kubeconfig(self.cluster.kubeconfig)) as rest:
                await until_leading(rest, self.operator, log=self.log, identity=_IDENTITY)
                return await measure(rest)

        return asyncio.run(run())


@contextlib.contextmanager
def ready_cluster(spec: ClusterSpec) -> Iterator[ReadyCluster]:
    """Start it, with all that it needs to run the bench's pods and to count writes; it ends with the block."""
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
            ready = ReadyCluster(cluster=cluster, operator=process, log=log)
            yield ready
        if complaints := log.read_text(encoding="utf-8", errors="replace").strip():
            ready.notes.append(f"The operator complained: {complaints[:2000]}")
