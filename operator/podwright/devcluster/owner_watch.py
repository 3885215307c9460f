"""Waits for the end of the process that owns a cluster, and then takes the cluster down: all that a watchdog's process does.

Started by `watchdog` as a program, in a session of its own. All that it needs is loaded before it waits, as the sources may be gone
afterwards.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from pathlib import Path

from podwright.devcluster.processes import start_time_of
from podwright.devcluster.teardown import down

_POLL_SECONDS = 1.0
_SETTLE_SECONDS = 0.2


def watch(data_directory: str, owner: int) -> None:
    """Wait for the owner's end or release, and after its end take the cluster down."""
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


if __name__ == "__main__":
    watch(sys.argv[1], int(sys.argv[2]))
