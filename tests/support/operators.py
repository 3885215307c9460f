"""Operators as processes, as their service account, for tests on a real API server.

Every process is ended at the end of its block, whatever happened in it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from podwright.devcluster import EmbeddedCluster

SERVICE_ACCOUNT = "podwright-operator"
SYSTEM_NAMESPACE = "podwright-system"
RUN = (sys.executable, "-m", "podwright", "operator", "run", "--http-host", "127.0.0.1", "--http-port", "0")
_PORT = re.compile(r"probes and metrics on \S+ port (\d+)")


class OperatorProcess:
    """One operator that was started. Its output is in `log`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def output(self) -> str:
        """What the operator has written so far."""
        return self.log.read_text(errors="replace")

    def wait_for(self, words: str, *, seconds: float = 30.0) -> None:
        """Wait until the output holds `words`.

        Raises:
            AssertionError: the operator ended before, or took longer.
        """
        until = time.monotonic() + seconds
        while words not in self.output:
            assert self.process.poll() is None, f"the operator ended:\n{self.output}"
            assert time.monotonic() < until, f"no {words!r} within {seconds} s:\n{self.output}"
            time.sleep(0.02)

    def wait_until_leading(self) -> None:
        """Wait until the operator acts."""
        self.wait_for("leading shard")

    def has_led(self) -> bool:
        """Return whether the operator ever led."""
        return "leading shard" in self.output

    def fetch(self, path: str) -> tuple[int, str]:
        """Get a page of the operator's HTTP server: status and text."""
        self.wait_for("probes and metrics on")
        port = _PORT.search(self.output)
        assert port is not None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def stop(self, *, seconds: float = 15.0) -> int:
        """Ask the operator to end, and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=seconds)

    def kill(self) -> None:
        """End the operator as a crash does."""
        self.process.kill()
        self.process.wait()


def operator_kubeconfig(cluster: EmbeddedCluster, path: Path) -> Path:
    """Write a kubeconfig with exactly the operator's rights."""
    return cluster.create_user_kubeconfig(service_account=SERVICE_ACCOUNT, namespace=SYSTEM_NAMESPACE, path=path)


@contextmanager
def started_operator(
    kubeconfig: Path,
    log: Path,
    *,
    command: Sequence[str] = RUN,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[OperatorProcess]:
    """Run an operator during the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
    try:
        yield OperatorProcess(process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)  # a stopped process would not see SIGTERM
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
