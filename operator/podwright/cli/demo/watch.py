"""Follows the jobs of a namespace through `kubectl get --watch`, change by change."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
from typing import IO, TYPE_CHECKING, Any

from podwright.cli.demo.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from podwright.devcluster import DevCluster

_RESTART_PAUSE = 1.0


class JobWatch:
    """A context manager that yields changed jobs. A watch that breaks is begun again, which yields all jobs once more."""

    def __init__(self, cluster: DevCluster, *, namespace: str) -> None:
        self._command = [
            str(cluster.kubectl_path),
            f"--kubeconfig={cluster.kubeconfig}",
            f"--namespace={namespace}",
            *("get", "batchjobs.podwright.dev", "--watch", "--output=json"),
        ]
        self._environment = os.environ | {"KUBECACHEDIR": str(cluster.kubeconfig.parent / "kubectl-cache")}
        self._changes: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._follow, name="job watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        if (process := self._process) is not None:
            process.kill()
        self._thread.join(timeout=5.0)

    def next(self, *, timeout: float) -> Job | None:
        """Return the next job that is new or changed, or None if there is none for `timeout` seconds."""
        try:
            return self._changes.get(timeout=timeout)
        except queue.Empty:
            return None

    def _follow(self) -> None:
        while not self._stopping.is_set():
            with subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                # Whatever keeps it from working shows by the deadline of whoever waits for the jobs.
                stderr=subprocess.DEVNULL,
                text=True,
                env=self._environment,
            ) as process:
                self._process = process
                if self._stopping.is_set():
                    process.kill()
                if process.stdout is not None:
                    for item in documents(process.stdout):
                        for single in item["items"] if item.get("kind") == "List" else [item]:
                            self._changes.put(Job.from_object(single))
            self._stopping.wait(_RESTART_PAUSE)


def documents(stream: IO[str]) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects that follow each other in a stream, each once its last line is there."""
    lines: list[str] = []
    for line in stream:
        lines.append(line)
        # kubectl indents what it writes, so a brace at the margin can only be an object's end.
        if line.startswith("}"):
            yield json.loads("".join(lines))
            lines.clear()


def follow(watch: JobWatch, *, seconds: float, poll: float = 0.25) -> Iterator[Job | None]:
    """Changes of jobs as they come, and None now and then so that clocks can be drawn; ends after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield watch.next(timeout=poll)
