"""An embedded cluster of the bench's own in which an operator leads. Used by the parts that need a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from podwright.core.accounting import Accounting
from podwright.devcluster import EmbeddedCluster, ports
from podwright.devcluster.processes import MARKER_VARIABLE
from tests.bench import counters, workloads
from tests.bench.operator_process import SERVICE_ACCOUNT, SYSTEM_NAMESPACE, operator, until_leading
from tests.bench.processes import stop
from tests.cluster.shared import install
from tests.support.rest import Rest, Server

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Awaitable, Callable, Iterator

    from podwright.devcluster import ClusterSpec

_MANIFESTS: Final = Path(__file__).parents[2] / "manifests"
_IDENTITY: Final = "bench"
Found = TypeVar("Found")


@dataclass(kw_only=True)
class ReadyCluster:
    """What a measurement needs to know of it. `notes` are complete when the block has ended."""

    cluster: EmbeddedCluster
    operator: subprocess.Popen[bytes]
    accounting: Accounting
    start: Callable[[Accounting], subprocess.Popen[bytes]]
    log: Path
    metrics_address: str
    """Of the operator."""
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

    async def use_accounting(self, rest: Rest, accounting: Accounting) -> None:
        """Put an operator with another accounting in the place of the present one; return when it leads."""
        stop(self.operator)
        self.operator, self.accounting = self.start(accounting), accounting
        await until_leading(rest, self.operator, log=self.log, identity=_IDENTITY)


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
        with contextlib.ExitStack() as operators:
            (http_port,) = operators.enter_context(ports.free_ports(1))

            def start(accounting: Accounting) -> subprocess.Popen[bytes]:
                started = operator(
                    kubeconfig,
                    log=log,
                    identity=_IDENTITY,
                    accounting=accounting,
                    environment=mark,
                    http_port=http_port,
                )
                return operators.enter_context(started)

            ready = ReadyCluster(
                cluster=cluster,
                operator=start(Accounting.EXACT),
                accounting=Accounting.EXACT,
                start=start,
                log=log,
                metrics_address=f"http://127.0.0.1:{http_port}/metrics",
            )
            yield ready
        if complaints := log.read_text(encoding="utf-8", errors="replace").strip():
            ready.notes.append(f"The operator complained: {complaints[:2000]}")
