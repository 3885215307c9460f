from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Writes its pid as a line of the file that it is given, and ends with 7 once it gets SIGTERM.
PROGRAM = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
with open(sys.argv[1], "a") as pids:
    print(os.getpid(), file=pids, flush=True)
time.sleep(60)
"""


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A respawned program; whatever happens, its whole session is gone afterwards."""
    command = [sys.executable, "-m", "podwright.devcluster.respawn", sys.executable, "-c", PROGRAM]
    with subprocess.Popen([*command, str(tmp_path / "pids")], start_new_session=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def pid(directory: Path, *, number: int) -> int:
    """The pid of start `number`, from 0, once the program is up."""
    deadline = time.monotonic() + 30
    while True:
        found = (directory / "pids").read_text().splitlines() if (directory / "pids").exists() else []
        if len(found) > number:
            return int(found[number])
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_killed_is_started_again(keeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    first = pid(tmp_path, number=0)
    os.kill(first, signal.SIGKILL)
    second = pid(tmp_path, number=1)
    assert second != first
    assert keeper.poll() is None


def test_sigterm_is_passed_on_and_ends_both(keeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    child = pid(tmp_path, number=0)
    keeper.terminate()
    assert keeper.wait(timeout=30) == 7
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
