"""A small world for one test: an API server, a fault proxy before it, operators behind the proxy, and a record of it all.

The API server is the simulator (fast, many runs) or the real one of an embedded cluster; tests don't see the difference.
"""

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from podwright.core.constants import names
from podwright.core.model.phase import TERMINAL
from podwright.devcluster import EmbeddedCluster
from tests.faults.history import VersionLog
from tests.faults.invariants import Evidence, quiet_at_the_end, violations
from tests.faults.operators import SYSTEM_NAMESPACE, Nursery, OperatorProcess, free_lease, lease_holder
from tests.faults.proxy import FaultProxy
from tests.support.rest import MERGE, Rest, Server
from tests.support.simulator.api import Api
from tests.support.simulator.fence import OPERATOR, fence
from tests.support.simulator.garbage import GarbageCollector
from tests.support.simulator.kinds import NAMESPACE
from tests.support.simulator.kubelet import Kubelet
from tests.support.simulator.server import Simulator

DEFINITION: Final = Path(__file__).parents[2] / "crds" / "podwright.dev_batchjobs.yaml"
SETTLE_SECONDS: Final = 30.0
_END_SECONDS: Final = 15.0
_QUIET_SECONDS: Final = 0.7
_RESTART_PAUSE: Final = 0.2
_numbers: Final = itertools.count(1)


class World:
    """Made by `simulated` or `real`."""

    def __init__(
        self, *, rest: Rest, upstream: Server, token: str, nursery: Nursery, directory: Path, stack: AsyncExitStack
    ) -> None:
        self.rest = rest
        """The administrator, straight to the API server."""
        self.log = VersionLog(beside=nursery.summary)
        self.nursery = nursery
        self.proxies: list[FaultProxy] = []
        self.simulator: Simulator | None = None
        self.kubelet: Kubelet | None = None
        self._upstream = upstream
        self._token = token
        self._directory = directory
        self._stack = stack

    @property
    def proxy(self) -> FaultProxy:
        """The first proxy, which operators use unless told otherwise."""
        return self.proxies[0]

    async def add_proxy(self) -> FaultProxy:
        """Put another proxy before the API server, for another operator."""
        proxy = await self._stack.enter_async_context(FaultProxy(self._upstream))
        self.proxies.append(proxy)
        return proxy

    async def start_operator(
        self, proxy: FaultProxy | None = None, *, settings: Mapping[str, str] | None = None
    ) -> OperatorProcess:
        """Start an operator behind a proxy; settings as for `Nursery.start`."""
        proxy = proxy or self.proxy
        kubeconfig = self._directory / f"proxy-{proxy.port}.kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(_kubeconfig(proxy.url, self._token)))
        return await self.nursery.start(kubeconfig=kubeconfig, settings=settings)

    async def restart_operator(
        self, dead: OperatorProcess, proxy: FaultProxy | None = None, *, settings: Mapping[str, str] | None = None
    ) -> OperatorProcess:
        """Start a successor at once: the Lease of the dead one is freed, as waiting for it to expire proves nothing here."""
        await dead.ended.wait()
        if await lease_holder(self.rest) == dead.identity:
            await free_lease(self.rest)
        return await self.start_operator(proxy, settings=settings)

    async def new_namespace(self) -> str:
        """Make a namespace in which pods can be created."""
        name = f"faults-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}-{next(_numbers)}"
        answer = await self.rest.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        assert answer.code == 201, answer
        if self.simulator is None:
            while (await self.rest.send("GET", f"/api/v1/namespaces/{name}/serviceaccounts/default")).code != 200:
                pass
        return name

    async def submit(self, namespace: str, job: Mapping[str, Any]) -> dict[str, Any]:
        """Create a job, and return once the log has it."""
        return await self.ask("POST", jobs_path(namespace), dict(job))

    async def change(self, namespace: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Change a job's spec, and return once the log has it."""
        return await self.ask("PATCH", jobs_path(namespace, name), {"spec": spec}, content_type=MERGE)

    async def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """Do something to one job as a user does, and return once the log shows it."""
        answer = await self.rest.send(method, path, body, content_type=content_type)
        assert answer.code in (200, 201), answer
        status = answer.body.get("kind") == "Status"  # of a deletion that is already complete
        about = answer.body["details"] if status else answer.body["metadata"]
        least = 0 if status else int(about["resourceVersion"])
        await self.log.until(
            lambda: self.log.knows(about["uid"], least, deleted=status),
            seconds=10,
            what=f"the log shows {method} {path}",
        )
        return answer.body

    def settled(self, namespace: str, *, waiting: Sequence[str] = ()) -> bool:
        """Return whether nothing is left to do: all jobs are over or rightly wait, no pod of an ended job is held, none goes."""
        jobs = {job.uid: job for job in self.log.present_jobs(namespace)}
        if any("deletionTimestamp" in job.metadata for job in jobs.values()):
            return False
        over = {uid for uid, job in jobs.items() if job.status.get("phase") in TERMINAL}
        if any(job.name not in waiting for uid, job in jobs.items() if uid not in over):
            return False
        for pod in self.log.present_pods(namespace):
            owner = pod.metadata["labels"][names.LABEL_JOB_UID]
            if owner not in jobs or "deletionTimestamp" in pod.metadata:
                return False
            if owner in over and names.FINALIZER in pod.metadata.get("finalizers", ()):
                return False
        return True

    async def settle(self, namespace: str, *, waiting: Sequence[str] = ()) -> None:
        """Wait until nothing is left to do."""
        # A real garbage collector takes up to half a minute to learn of a new kind, once.
        seconds = SETTLE_SECONDS if self.simulator is not None else 2 * SETTLE_SECONDS
        what = f"everything in {namespace} is done"
        await self.log.until(lambda: self.settled(namespace, waiting=waiting), seconds=seconds, what=what)

    def evidence(self, namespace: str, **facts: Sequence[str]) -> Evidence:
        """Gather what is known of a namespace; `facts` as for `Evidence.of`."""
        return Evidence.of(self.log, namespace=namespace, **facts)

    def check(self, namespace: str, *, except_for: str = "", **facts: Sequence[str]) -> None:
        """Fail with everything that is broken, but for one invariant that the test cannot expect."""
        found = [told for told in violations(self.evidence(namespace, **facts)) if told.partition(":")[0] != except_for]
        assert not found, "\n".join([*found, self.log.summary()])

    async def check_quiet(self) -> None:
        """Fail if a new operator, which looks at everything anew, finds something to write although all is done (I12)."""
        await self.nursery.end_all()
        await free_lease(self.rest)
        since = time.time()
        operator = await self.start_operator()
        await self.until_leading(operator)
        await asyncio.sleep(_QUIET_SECONDS)
        operator.kill()
        await operator.ended.wait()
        await free_lease(self.rest)
        found = list(quiet_at_the_end(self.proxy.history.exchanges, since=since))
        assert not found, found

    @asynccontextmanager
    async def deployment(
        self, proxy: FaultProxy | None = None, *, settings: Mapping[str, str] | None = None
    ) -> AsyncIterator[OperatorProcess]:
        """Be the Deployment of one operator: give the first process, and start another one whenever the last has ended."""
        first = await self.start_operator(proxy, settings=settings)

        async def keep() -> None:
            operator = first
            while True:
                await operator.ended.wait()
                await asyncio.sleep(_RESTART_PAUSE)
                operator = await self.start_operator(proxy, settings=settings)

        keeping = asyncio.create_task(keep())
        try:
            yield first
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def until_ended(self, operator: OperatorProcess) -> None:
        """Wait until an operator has ended of its own accord, or from a signal that was sent to it."""
        await self.log.until(
            lambda: operator.exit_code is not None, seconds=_END_SECONDS, what=f"{operator.identity} ends"
        )

    async def until_leading(self, operator: OperatorProcess, *, seconds: float = 15.0) -> None:
        """Wait until an operator has won the Lease and has looked at what it leads."""
        await self.log.until(lambda: f"as {operator.identity}" in operator.told(), seconds=seconds, what="it leads")

    async def until_leading_or_dead(self, operator: OperatorProcess) -> None:
        """Wait until an operator's start is over, one way or the other."""
        await self.log.until(
            lambda: operator.exit_code is not None or f"as {operator.identity}" in operator.told(),
            seconds=20,
            what="the start is over",
        )


@asynccontextmanager
async def simulated(
    nursery: Nursery, directory: Path, *, latency: float = 0.0, fenced: bool = True
) -> AsyncIterator[World]:
    """Make a world over the simulator; `latency` is how long a node takes for each step."""
    schema = yaml.safe_load(DEFINITION.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    api = Api(schema=schema)
    if fenced:
        api.rules.append(fence(api))
    api.create(NAMESPACE, "", {"metadata": {"name": SYSTEM_NAMESPACE}}, user="system:admin")
    GarbageCollector(api)
    kubelet = Kubelet(api, latency=latency)
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(Simulator(api))
        rest = await stack.enter_async_context(Rest(Server(simulator.url, "system:admin")))
        world = World(
            rest=rest, upstream=Server(simulator.url), token=OPERATOR, nursery=nursery, directory=directory, stack=stack
        )
        world.simulator, world.kubelet = simulator, kubelet
        async with _peopled(world):
            yield world


@asynccontextmanager
async def real(cluster: EmbeddedCluster, nursery: Nursery, directory: Path) -> AsyncIterator[World]:
    """Make a world over a cluster in which Podwright's manifests are installed, but no operator runs."""
    admin = Server.from_kubeconfig(cluster.kubeconfig)
    async with AsyncExitStack() as stack:
        rest = await stack.enter_async_context(Rest(admin))
        account = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/serviceaccounts/{OPERATOR.rpartition(':')[2]}"
        answer = await rest.send("POST", f"{account}/token", {"spec": {"expirationSeconds": 86400}})
        assert answer.code == 201, answer
        # Without the administrator's certificate: the operator's rights must be its own.
        upstream = Server.from_kubeconfig(cluster.kubeconfig, with_user=False)
        world = World(
            rest=rest,
            upstream=upstream,
            token=answer.body["status"]["token"],
            nursery=nursery,
            directory=directory,
            stack=stack,
        )
        async with _peopled(world):
            yield world


@asynccontextmanager
async def _peopled(world: World) -> AsyncIterator[None]:
    await world.add_proxy()
    async with world.log.recording(world.rest):
        try:
            yield
        finally:
            await world.nursery.end_all()
            await free_lease(world.rest)


def jobs_path(namespace: str, name: str = "") -> str:
    """Return the path of a namespace's jobs, or of one."""
    return f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.JOB_PLURAL}" + (f"/{name}" if name else "")


def pods_path(namespace: str, name: str = "") -> str:
    """Return the path of a namespace's pods, or of one."""
    return f"/api/v1/namespaces/{namespace}/pods" + (f"/{name}" if name else "")


def _kubeconfig(server: str, token: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "proxy",
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "operator"}}],
        "clusters": [{"name": "proxy", "cluster": {"server": server}}],
        "users": [{"name": "operator", "user": {"token": token}}],
    }
