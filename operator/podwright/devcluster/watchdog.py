"""Takes a cluster down when the process that owns it ends, even by SIGKILL.

A child of the owner, in a session of its own, that holds one end of a pipe whose other end only the owner has: end of
file means that the owner is gone. (A parent-death signal wouldn't do, since real nodes also leave mounts, links and
cgroups.) A line on the pipe releases it: the owner takes the cluster down itself.

`Watchdog` is the owner's side; `watch` is all that the child does.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from podwright.devcluster.processes import start_time_of

_POLL_SECONDS = 1.0
_SETTLE_SECONDS = 0.2
_SOURCES = Path(__file__).parents[2]
_PROGRAM = "import sys; from podwright.devcluster.watchdog import watch; watch(sys.argv[1], int(sys.argv[2]))"


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
                [sys.executable, "-c", _PROGRAM, str(data_directory), str(os.getpid())],
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


def watch(data_directory: str, owner: int) -> None:
    """Wait for the owner's end or release, and after its end take the cluster down."""
    # Loaded before the wait: by then the sources may be gone.
    from podwright.devcluster.teardown import down

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # These reach whole terminals and containers; what counts is only whether the owner lives.
        signal.signal(number, signal.SIG_IGN)
    born = start_time_of(owner)
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], _POLL_SECONDS)
        if readable:
            if os.read(sys.stdin.fileno(), 64):
                return
            break
        # Children that the owner forked may hold the pipe open after its end.
        if born is None or start_time_of(owner) != born:
            break
    # A process that the owner was just starting carries the cluster's mark only a moment later.
    time.sleep(_SETTLE_SECONDS)
    down(Path(data_directory))
