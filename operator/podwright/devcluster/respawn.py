"""Runs a command, and runs it again whenever it ends: what a kubelet does with the containers of a Deployment.

`python -m podwright.devcluster.respawn COMMAND…`, for a program that is meant to end when it cannot go on, on a cluster
where nothing else would start it again. Runs under `processes.Supervisor`, whose signals reach the whole process group.
Must not know what the command is.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_STEADY_SECONDS = 60.0
"""A command that ran for so long is well again: its next end is followed by the shortest pause."""


def respawn(command: Sequence[str]) -> int:
    """Keep `command` running until SIGTERM or SIGINT, which it gets too; return its last exit code."""
    stop = threading.Event()
    child: subprocess.Popen[bytes] | None = None

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        stop.set()
        if child is not None and child.poll() is None:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    pause = _FIRST_PAUSE
    code = 0
    while not stop.is_set():
        began = time.monotonic()
        child = subprocess.Popen(command)
        if stop.is_set():  # the signal came before there was a child to pass it to
            child.terminate()
        code = child.wait()
        if time.monotonic() - began >= _STEADY_SECONDS:
            pause = _FIRST_PAUSE
        if not stop.is_set():
            sys.stderr.write(f"{command[0]} ended with {code}; it is started again in {pause:.0f} s\n")
            sys.stderr.flush()
            stop.wait(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(respawn(sys.argv[1:]))
