"""A simulated API server in another process, and operators that lead there. Used by what measures the operator alone."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from podwright.devcluster.kubeconfig import Endpoint, write_for_token
from tests.bench import workloads
from tests.bench.errors import BenchError
from tests.bench.operator_process import SERVICE_ACCOUNT, SYSTEM_NAMESPACE, operator, until_leading
from tests.bench.processes import start, stop
from tests.support.rest import Rest, Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_USER: Final = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{SERVICE_ACCOUNT}"


@contextlib.asynccontextmanager
async def submitter(server: str) -> AsyncIterator[Rest]:
    """Connect as somebody who submits jobs, to a namespace that exists."""
    async with Rest(Server(server, "submitter")) as rest:
        answer = await rest.send("POST", "/api/v1/namespaces", {"metadata": {"name": workloads.NAMESPACE}})
        if answer.code != 201:
            raise BenchError(f"the simulator made no namespace: {answer.body}")
        yield rest


@contextlib.contextmanager
def simulator() -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """Run the simulator; give its process, its URL, and a directory that goes with it."""
    with tempfile.TemporaryDirectory(prefix="podwright-bench-") as name:
        process = start("tests.support.simulator.__main__", [], output=subprocess.PIPE)
        try:
            if process.stdout is None:
                raise BenchError("the simulator has no output")
            # Its first line; if it can't start it writes why and ends.
            line = process.stdout.readline().decode().strip()
            if not line.startswith("http://"):
                raise BenchError(f"the simulator didn't start: {line} {process.stdout.read().decode()}")
            yield process, line, Path(name)
        finally:
            stop(process)


@contextlib.asynccontextmanager
async def leader(
    rest: Rest, directory: Path, server: str, *, identity: str = "first", http_port: int = 0
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Run an operator that leads."""
    kubeconfig = write_for_token(
        directory / "kubeconfig",
        endpoint=Endpoint(server, b""),
        user=SERVICE_ACCOUNT,
        token=_USER,  # the simulator takes a token for the name of its user
        namespace=SYSTEM_NAMESPACE,
    )
    log = directory / f"{identity}.log"
    with operator(kubeconfig, log=log, identity=identity, http_port=http_port) as process:
        await until_leading(rest, process, log=log, identity=identity)
        yield process
