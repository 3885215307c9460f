"""Leases of an API server in memory, behind the interface of the client, with faults: for elections in virtual time."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from podwright.kube.client import ApiClient, Pool
from podwright.kube.codecs.times import format_time
from podwright.kube.lease import LeaseElector
from podwright.kube.responses import Ambiguous, ApiResponse, Unsent
from tests.unit.kube.objects import dumps, status_json

NAME = "podwright-shard-0"
NAMESPACE = "podwright-system"
START = 1_800_000_000.0


class LeaseServer:
    """The one Lease, and the API server's clock, which is the loop's."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.forbidden: set[str] = set()
        self.down = False
        self._versions = 0

    def execute(self, method: str, body: bytes | None) -> tuple[int, bytes]:
        """Answer a request as the API server does."""
        if method in self.forbidden:
            return 403, dumps(status_json(403, reason="Forbidden", message=f"cannot {method} leases"))
        if method == "POST":
            if self.lease is not None:
                return 409, dumps(status_json(409, reason="AlreadyExists"))
            self.create(**(msgspec.json.decode(body or b"").get("spec") or {}))
            return 201, dumps(self.lease)
        if self.lease is None:
            return 404, dumps(status_json(404, reason="NotFound", details={"kind": "leases", "name": NAME}))
        if method == "PUT":
            wanted = msgspec.json.decode(body or b"")
            if wanted["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
                return 409, dumps(status_json(409, reason="Conflict"))
            self.lease["metadata"]["labels"] = wanted["metadata"].get("labels")
            self.change(**wanted["spec"])
        return 200, dumps(self.lease)

    def create(self, **spec: Any) -> None:
        """Make the Lease."""
        created = format_time(START + int(asyncio.get_running_loop().time()))
        self.lease = {
            "metadata": {"name": NAME, "uid": f"uid-{self._versions}", "creationTimestamp": created},
            "spec": {},
        }
        self.change(**spec)

    def change(self, **spec: Any) -> None:
        """Change the Lease as anybody with the right to may."""
        assert self.lease is not None
        self._versions += 1
        self.lease["spec"].update(spec)
        self.lease["metadata"]["resourceVersion"] = str(self._versions)

    def delete(self) -> None:
        """Delete the Lease."""
        self.lease = None

    @property
    def spec(self) -> dict[str, Any]:
        """The Lease's content."""
        assert self.lease is not None
        return dict(self.lease["spec"])


class Fault:
    """What happens to one request: delays in seconds before and after it is executed; whether it is, and is answered."""

    def __init__(self, *, before: float = 0.01, after: float = 0.01, lost: str = "", status: int = 0) -> None:
        self.before = before
        self.after = after
        self.lost = lost
        self.status = status


NEVER = 1e6
SOUND = Fault()


class FaultyClient(ApiClient):
    """A client whose requests reach a `LeaseServer` by way of faults, which `fault` chooses for each."""

    def __init__(self, server: LeaseServer, *, fault: Callable[[str], Fault] = lambda method: SOUND) -> None:
        # Deliberately without the real one's pools: nothing here touches the network.
        self._leases = server
        self.fault = fault
        self.requests: list[tuple[float, str]] = []

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        deadline: float = 10.0,
        pool: Pool = Pool.WRITE,
        most_bytes: int | None = None,
    ) -> ApiResponse:
        assert pool is Pool.LEASE
        assert path.endswith("/leases" if method == "POST" else f"/leases/{NAME}")
        loop = asyncio.get_running_loop()
        self.requests.append((loop.time(), method))
        fault = self.fault(method)
        if self._leases.down or fault.lost == "request":
            await asyncio.sleep(min(fault.before, deadline))
            raise Unsent("no route")
        if fault.status:
            return ApiResponse(fault.status, dumps(status_json(fault.status)))
        answer: asyncio.Future[tuple[int, bytes]] = loop.create_future()

        def execute() -> None:
            # As on a network, it happens whether or not its sender still waits.
            outcome = self._leases.execute(method, body)
            if fault.lost != "answer":
                loop.call_later(fault.after, deliver, outcome)

        def deliver(outcome: tuple[int, bytes]) -> None:
            if not answer.done():
                answer.set_result(outcome)

        loop.call_later(fault.before, execute)
        try:
            async with asyncio.timeout(deadline):
                return ApiResponse(*await answer)
        except TimeoutError:
            raise Ambiguous("no answer in time") from None


class Candidate:
    """An elector in a process of its own: its clock can jump, as it does while a process is stopped."""

    def __init__(
        self, server: LeaseServer, identity: str, *, fault: Callable[[str], Fault] = lambda method: SOUND
    ) -> None:
        self.client = FaultyClient(server, fault=fault)
        self.skipped = 0.0
        self.elector = LeaseElector(
            self.client,
            namespace=NAMESPACE,
            name=NAME,
            identity=identity,
            clock=lambda: asyncio.get_running_loop().time() + self.skipped,
            wall_clock=lambda: START,
        )
        self.task: asyncio.Task[None] | None = None

    def start(self) -> "Candidate":
        """Compete in the background."""
        self.task = asyncio.create_task(self.elector.run())
        return self

    async def lead(self) -> int:
        """Compete until the Lease is held, and give the epoch."""
        self.start()
        return (await self.elector.claimed()).epoch

    async def crash(self) -> None:
        """Vanish without a word."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait([self.task])

    async def ended(self) -> str:
        """Wait for the end of the election, and give the problem."""
        assert self.task is not None
        await self.task
        return self.elector.problem
