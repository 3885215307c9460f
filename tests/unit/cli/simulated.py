"""The API simulator beside a test that waits for its answers, as commands do, and a connection that breaks when told to."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import yaml

from podwright.cli.connection import MERGE_PATCH, Connection
from podwright.cli.failures import Unreachable
from podwright.cli.job_client import JobClient
from podwright.core.constants import names
from tests.support.simulator.admission import Operation, Request
from tests.support.simulator.api import Api
from tests.support.simulator.kinds import BATCH_JOB
from tests.support.simulator.manifests import JOBS, job
from tests.support.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONDITIONS = {
    "Succeeded": ("Finished", "Complete"),
    "Cancelled": ("Finished", "Failed"),
    "DeadLettered": ("Finished", "Failed"),
}
ENDED = "2026-11-21T10:00:00Z"


class Died(BaseException):
    """The process was killed."""


class FragileConnection(Connection):
    """Breaks at the write whose number is `breaks_at`, by raising `problem`: before it is sent, or once it was done."""

    breaks_at = -1
    problem: BaseException = Died()
    done = False

    def request(self, method: str, path: str, **rest: Any) -> dict[str, Any]:
        """Send a request."""
        if method != "GET":
            self.breaks_at -= 1
        breaks = method != "GET" and self.breaks_at == -1
        if breaks and not self.done:
            raise self.problem
        answer = super().request(method, path, **rest)
        if breaks:
            raise self.problem
        return answer


class SimulatedCluster:
    """A simulator, in its namespace `default`. `created` are the names of all jobs that were ever created, dry runs included."""

    def __init__(self, directory: Path) -> None:
        self.kubeconfig = directory / "kubeconfig"
        self.created: list[str] = []
        self.rule: Callable[[Request], None] = lambda request: None
        """Refuses requests by raising an ApiError."""

    @contextlib.contextmanager
    def running(self) -> Iterator[SimulatedCluster]:
        """Serve during the block."""
        started = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)))
        thread.start()
        started.wait()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        api = Api()
        api.rules.append(self._admit)
        async with Simulator(api) as simulator:
            self._write_kubeconfig(simulator.url)
            started.set()
            await self._stop.wait()

    def _admit(self, request: Request) -> None:
        self.rule(request)
        if request.kind is BATCH_JOB and request.operation is Operation.CREATE:
            self.created.append(request.name)

    def _write_kubeconfig(self, url: str) -> None:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": "somebody"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "default"}}],
            "current-context": "x",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def client(self) -> JobClient:
        """Return a client whose connection may be told to break."""
        connection = FragileConnection.open(kubeconfig=str(self.kubeconfig), context=None)
        return JobClient(connection, namespace="default")

    def breaking(self, at: int, *, done: bool, problem: BaseException | None = None) -> JobClient:
        """Return a client that breaks at a write; by default it dies."""
        client = self.client()
        assert isinstance(client.connection, FragileConnection)
        client.connection.breaks_at, client.connection.done = at, done
        client.connection.problem = problem or Died()
        return client

    def finished_job(self, name: str, phase: str = "Cancelled", *, message: str = "") -> dict[str, Any]:
        """Create a job that has ended."""
        self.client().connection.request("POST", JOBS, body=job(name))
        return self.finish(name, phase, message=message)

    def finished_array(self, name: str, *, size: int, succeeded: str) -> dict[str, Any]:
        """Create an array that was cancelled when some of its tasks had succeeded."""
        made = job(name)
        made["spec"]["array"] = {"size": size}
        self.client().connection.request("POST", JOBS, body=made)
        return self.finish(name, "Cancelled", array={"succeededIndexes": succeeded})

    def finish(self, name: str, phase: str, *, message: str = "", **status: Any) -> dict[str, Any]:
        """Record the end of a job, as the operator does."""
        conditions = [{"type": kind, "status": "True"} for kind in CONDITIONS[phase]]
        status |= {"phase": phase, "finishTime": ENDED, "conditions": conditions, "message": message}
        path = f"{JOBS}/{name}/status"
        return self.client().connection.request("PATCH", path, body={"status": status}, content_type=MERGE_PATCH)

    def delete(self, name: str) -> None:
        """Delete a job, as its time to live does."""
        self.client().connection.request("DELETE", f"{JOBS}/{name}")

    def names(self) -> list[str]:
        """Return the names of the jobs that there are."""
        return [str(each["metadata"]["name"]) for each in self.client().all()]

    def annotations(self, name: str) -> dict[str, str]:
        """Return the annotations of a job, without the group that all of them belong to."""
        found = self.client().read(name)["metadata"].get("annotations") or {}
        return {key.removeprefix(f"{names.GROUP}/"): value for key, value in found.items()}


def lost(*, sent: bool) -> Unreachable:
    """Make the error of a request whose answer never came."""
    return Unreachable("The line is dead.", sent=sent)
