"""Processes that the bench starts, and what processes use, read from /proc (Linux only)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from tests.bench.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TICKS: Final = os.sysconf("SC_CLK_TCK")
TICK_SECONDS: Final = 1 / _TICKS
"""What CPU seconds are counted in."""
_ROOT: Final = Path(__file__).parents[2]
_IDLE_FIELDS: Final = (3, 4)  # of /proc/stat: idle and waiting for the disk
_BUSY_FIELDS: Final = 8  # those behind count guests, which are in the first ones already
_GRACE_SECONDS: Final = 10.0


class Meter:
    """What the named processes, and the rest of the machine, used since it was made. CPU in seconds."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids) | {"bench": os.getpid()}
        self._began = time.monotonic()
        self._machine = _machine_busy()
        self._at_start = {name: cpu_seconds(pid) for name, pid in self._pids.items()}

    def cpu(self) -> dict[str, float]:
        """CPU seconds by process."""
        return {name: cpu_seconds(pid) - self._at_start[name] for name, pid in self._pids.items()}

    def resident(self) -> dict[str, float]:
        """MiB by process, now."""
        return {name: resident_mib(pid) for name, pid in self._pids.items()}

    def other_load(self) -> float:
        """Cores that other programs kept busy."""
        elapsed = max(time.monotonic() - self._began, 0.01)
        return max(0.0, (_machine_busy() - self._machine - sum(self.cpu().values())) / elapsed)


def cpu_seconds(pid: int) -> float:
    """CPU that a process used so far, in user and kernel, its ended children left out."""
    fields = _read(Path(f"/proc/{pid}/stat"), pid).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mib(pid: int, *, peak: bool = False) -> float:
    """Memory of a process that is in RAM, now or at its highest."""
    field = "VmHWM:" if peak else "VmRSS:"
    for line in _read(Path(f"/proc/{pid}/status"), pid).splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise BenchError(f"process {pid} has no {field} in /proc")


def _machine_busy() -> float:
    fields = [int(field) for field in _read(Path("/proc/stat"), 0).partition("\n")[0].split()[1 : 1 + _BUSY_FIELDS]]
    return sum(value for index, value in enumerate(fields) if index not in _IDLE_FIELDS) / _TICKS


def _read(path: Path, pid: int) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BenchError(f"process {pid} ended while it was measured" if pid else f"{path}: {error}") from error


@contextlib.contextmanager
def running(
    module: str, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `main` of a module in a process of its own while the block lasts; it also ends when this process is killed.

    What it writes goes to `log`, its standard output too unless it is read from `stdout` of the process.
    """
    with log.open("ab") as output:
        process = start(module, arguments, output=output, environment=environment)
        try:
            yield process
        finally:
            stop(process)


def start(
    module: str,
    arguments: Sequence[str],
    *,
    output: IO[bytes] | int,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start what `running` runs; the caller must `stop` it."""
    paths = os.pathsep.join([str(_ROOT / "operator"), str(_ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.child", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": paths} | dict(environment or {}),
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process: asked first, then forced."""
    with process:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def require_running(process: subprocess.Popen[bytes], *, log: Path) -> None:
    """Raise BenchError, with the end of its log, if a process has ended."""
    if process.poll() is not None:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
        raise BenchError(f"a process of the bench ended with {process.returncode}; its log {log} ends:\n{tail}")
