"""Takes a cluster down when the process that owns it ends, even by SIGKILL.

A child of the owner, in a session of its own, that holds one end of a pipe whose other end only the owner has: end of
file means that the owner is gone. (A parent-death signal wouldn't do, since real nodes also leave mounts, links and
cgroups.) A line on the pipe releases it: the owner takes the cluster down itself.

This is the owner's side; what the child does is in `owner_watch`, which is started by name: it takes down any kind of cluster, and
each of them starts a watchdog.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

_SOURCES = Path(__file__).parents[2]


class Watchdog:
    """The owner's side."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    def start(cls, data_directory: Path) -> Watchdog:
        """Watch this process on behalf of the cluster in `data_directory`, which needs no state yet."""
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, [str(_SOURCES), os.environ.get("PYTHONPATH")]))
        }
        with Path(os.devnull).open("wb") as nowhere:
            process = subprocess.Popen(
                [sys.executable, "-m", "podwright.devcluster.owner_watch", str(data_directory), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=nowhere,
                stderr=nowhere,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
        return cls(process)

    def release(self) -> None:
        """Signal that the cluster is gone, and wait for the watchdog to end."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(b"released\n")
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._process.wait()
