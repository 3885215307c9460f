"""Operator processes: started in milliseconds, killed, stopped and continued by tests.

A nursery process imports the operator once and forks for every start, so that a restart costs what a restart costs in
the cluster and not what Python's imports cost. Each operator has a process id of its own and its log in a file.
"""

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from collections import deque
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from podwright.core.constants.names import lease_name
from tests.faults.nursery import Ended, Start, Started
from tests.support.rest import MERGE, Rest

SYSTEM_NAMESPACE: Final = "podwright-system"
_LEASE: Final = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/{lease_name(0)}"
_END_SECONDS: Final = 10.0
_LATEST: Final = 3
_LAST_LINES: Final = 30


class OperatorProcess:
    """One operator process. `exit_code` is negative for a signal, None while it runs."""

    def __init__(self, *, pid: int, identity: str, log: Path) -> None:
        self.pid = pid
        self.identity = identity
        self.log = log
        self.exit_code: int | None = None
        self.ended = asyncio.Event()

    def kill(self) -> None:
        """SIGKILL: the kernel lets it do nothing more."""
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM: it may leave in good order."""
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """SIGSTOP: it stands still without noticing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: it goes on as if no time had passed."""
        self._signal(signal.SIGCONT)

    def told(self) -> str:
        """Return its log so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _signal(self, number: signal.Signals) -> None:
        # Only while it is ours: the id of a process that was reaped may belong to somebody else.
        if self.exit_code is None:
            os.kill(self.pid, number)


class Nursery:
    """Starts operators. Made by `nursery`, which ends them all."""

    def __init__(self, process: asyncio.subprocess.Process, directory: Path) -> None:
        self._process = process
        self._directory = directory
        self._running: dict[int, OperatorProcess] = {}
        self._latest: deque[OperatorProcess] = deque(maxlen=_LATEST)
        self._started: asyncio.Queue[int] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read())

    async def start(self, *, kubeconfig: Path, settings: Mapping[str, str] | None = None) -> OperatorProcess:
        """Start an operator. `settings` are those of the environment without their prefix, such as LEASE_DURATION."""
        identity = f"operator-{uuid.uuid4()}"
        log = self._directory / f"{identity}.log"
        variables = {"IDENTITY": identity, "HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", **(settings or {})}
        environment = {f"PODWRIGHT_{name}": value for name, value in variables.items()}
        command = Start(kubeconfig=str(kubeconfig), environment=environment, log=str(log))
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(command) + b"\n")
        await self._process.stdin.drain()
        pid = await asyncio.wait_for(self._started.get(), 30)
        operator = OperatorProcess(pid=pid, identity=identity, log=log)
        self._running[pid] = operator
        self._latest.append(operator)
        return operator

    def summary(self) -> str:
        """Return how the operators started last ended, and the end of their logs."""
        told: list[str] = []
        for operator in self._latest:
            state = "runs" if operator.exit_code is None else f"ended with {operator.exit_code}"
            told += [f"{operator.identity} {state}:", *operator.told().splitlines()[-_LAST_LINES:]]
        return "\n  ".join(told)

    async def end_all(self) -> None:
        """Kill the operators that still run, and wait until they are gone."""
        for operator in list(self._running.values()):
            operator.kill()
            await asyncio.wait_for(operator.ended.wait(), _END_SECONDS)

    async def close(self) -> None:
        """End all operators and the nursery itself."""
        try:
            await self.end_all()
        finally:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = msgspec.json.decode(line, type=Started | Ended)
            if isinstance(message, Started):
                self._started.put_nowait(message.pid)
            else:
                operator = self._running.pop(message.pid)
                operator.exit_code = message.exit_code
                operator.ended.set()


@contextlib.asynccontextmanager
async def nursery(directory: Path) -> AsyncIterator[Nursery]:
    """Run a nursery; at the end of the block all its operators are gone."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.faults.nursery",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    made = Nursery(process, directory)
    try:
        yield made
    finally:
        await made.close()


async def free_lease(rest: Rest) -> None:
    """Return the Lease back in the name of an operator that is known to be dead, so that nobody waits for it to expire."""
    await rest.send("PATCH", _LEASE, {"spec": {"holderIdentity": ""}}, content_type=MERGE)


async def lease_holder(rest: Rest) -> str:
    """Return who holds the Lease now, or nothing."""
    answer = await rest.send("GET", _LEASE)
    return str(answer.body.get("spec", {}).get("holderIdentity", "")) if answer.code == 200 else ""
