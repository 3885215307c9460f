"""Starts, recognises and ends the cluster's processes, so that none is left behind and no stranger is ever hit.

Each process leads a session of its own, logs to a file and is recorded in `processes.json` of the data directory.
Who it is stays checkable after a crash of ours in three ways: its pid together with its start time (a recycled pid
differs), its process group, and a marker variable in its environment that names the cluster (which also finds
processes that were started but not yet recorded, and children that left the group). Used by `cluster`, `fake_nodes`,
`real_node` and `watchdog`. Must not know what the processes are for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from podwright.devcluster.errors import StartError
from podwright.devcluster.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MARKER_VARIABLE = "PODWRIGHT_DEVCLUSTER_ID"
RECORDS_FILE = "processes.json"
_POLL_SECONDS = 0.02
_KILL_SECONDS = 10.0


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to start. `environment` is added to the starter's own."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = {}
    log_file: str = ""
    """Where stdout and stderr go, appended; empty means `logs/<name>.log` in the data directory."""


class ProcessRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A process that was started: its spec, and what identifies it."""

    spec: ProcessSpec
    pid: int
    start_time: str
    """Opaque; together with the pid it names one process since boot."""

    @property
    def is_running(self) -> bool:
        """Whether this very process still lives; a zombie doesn't."""
        return start_time_of(self.pid) == self.start_time


def start_time_of(pid: int) -> str | None:
    """Return when process `pid` began, in an opaque unit; None if there is none or it is only a zombie."""
    try:
        # The command name stands in parentheses and may itself contain some, hence the split at the last one.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _start_time_by_ps(pid)
    state, start_time = fields[0], fields[19]
    return None if state in "ZX" and not _has_other_threads(pid) else start_time


def _has_other_threads(pid: int) -> bool:
    # The first thread of a killed process is a zombie at once, while others may still hold its sockets open.
    try:
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def _start_time_by_ps(pid: int) -> str | None:
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, start_time = answer.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else start_time.strip()


class Supervisor:
    """The processes of one cluster. Safe to use from several threads; one operating system process at a time."""

    def __init__(self, *, data_directory: Path, cluster_id: str) -> None:
        self.data_directory = data_directory
        self.cluster_id = cluster_id
        self._lock = threading.Lock()
        self._records: dict[str, ProcessRecord] = {record.spec.name: record for record in read_records(data_directory)}

    @property
    def records(self) -> Mapping[str, ProcessRecord]:
        """The latest record of each process by name, running or not."""
        with self._lock:
            return dict(self._records)

    def log_path(self, name: str) -> Path:
        """Return where the log of process `name` goes unless its spec says otherwise."""
        return self.data_directory / "logs" / f"{name}.log"

    def start(self, spec: ProcessSpec) -> ProcessRecord:
        """Start `spec` in a session of its own and record it. Raises StartError if it can't be executed."""
        log = Path(spec.log_file) if spec.log_file else self.log_path(spec.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = os.environ | spec.environment | {MARKER_VARIABLE: self.cluster_id}
        with log.open("ab") as output:
            try:
                process = subprocess.Popen(
                    spec.arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self.data_directory,
                    env=environment,
                    start_new_session=True,
                )
            except OSError as error:
                raise StartError(f"{spec.name} ({spec.arguments[0]}) cannot be started: {error.strerror}.") from error
        # A process that is gone already has no start time; the empty one matches no running process.
        record = ProcessRecord(spec=spec, pid=process.pid, start_time=start_time_of(process.pid) or "")
        # Its end is read through waitpid in `_reap`; Popen must not complain that nobody asked it.
        process.returncode = 0
        with self._lock:
            self._records[spec.name] = record
            write_atomically(
                self.data_directory / RECORDS_FILE, msgspec.json.encode(tuple(self._records.values())), mode=0o600
            )
        return record

    def require_running(self, name: str) -> None:
        """Raise StartError, with the end of its log, if `name` has ended."""
        record = self.records[name]
        if not record.is_running:
            raise StartError(f"{name} ended while the cluster was starting. Its log ends:\n{self.log_tail(name)}")

    def log_tail(self, name: str, *, lines: int = 15) -> str:
        """Return the last `lines` lines that process `name` wrote."""
        record = self.records.get(name)
        path = Path(record.spec.log_file) if record and record.spec.log_file else self.log_path(name)
        with contextlib.suppress(OSError), path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 16_384))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        return "(no log)"

    def stop(self, names: Iterable[str], *, grace_seconds: float = 0.0) -> None:
        """End the named processes with their groups: SIGTERM, and SIGKILL once the grace is over (at once if 0)."""
        records = self.records
        end_processes([records[name] for name in names if name in records], grace_seconds=grace_seconds)

    def restart(self, name: str) -> ProcessRecord:
        """Start `name` anew with the same arguments; whatever is left of the former one is killed first."""
        spec = self.records[name].spec
        self.stop([name])
        return self.start(spec)

    def stop_all(self) -> None:
        """Kill every process of the cluster, recorded or only marked."""
        end_cluster(data_directory=self.data_directory, cluster_id=self.cluster_id)


def read_records(data_directory: Path) -> tuple[ProcessRecord, ...]:
    """Return the processes that were recorded in `data_directory`; none if there is no record."""
    try:
        content = (data_directory / RECORDS_FILE).read_bytes()
    except FileNotFoundError:
        return ()
    return msgspec.json.decode(content, type=tuple[ProcessRecord, ...])


def end_cluster(*, data_directory: Path, cluster_id: str) -> None:
    """Kill everything that belongs to the cluster, known only by its files. Idempotent."""
    end_processes(read_records(data_directory), grace_seconds=0.0)
    # A dying process shows no environment any more, though it may still hold sockets: hence the memory of who was hit.
    hit: dict[int, str | None] = {}
    deadline = time.monotonic() + _KILL_SECONDS
    while True:
        for pid in marked_processes(cluster_id):
            hit[pid] = start_time_of(pid)
            _signal_process(pid, signal.SIGKILL)
        left = [pid for pid, start_time in hit.items() if start_time is not None and start_time_of(pid) == start_time]
        if not left:
            return
        if time.monotonic() >= deadline:
            raise StartError(f"These processes of the cluster don't end, even by SIGKILL: {left}.")
        time.sleep(_POLL_SECONDS)


def marked_processes(cluster_id: str) -> tuple[int, ...]:
    """Return pids of all processes whose environment names the cluster, except this one and its ancestors (Linux only)."""
    marker = f"{MARKER_VARIABLE}={cluster_id}".encode()
    spared = _ancestors()
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(entry.name) not in spared and marker in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return tuple(pid for pid in found if start_time_of(pid) is not None)


def _ancestors() -> frozenset[int]:
    pids, pid = {os.getpid()}, os.getpid()
    while pid > 1:
        try:
            pid = int(
                Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
            )
        except OSError:
            break
        pids.add(pid)
    return frozenset(pids)


def end_processes(records: Sequence[ProcessRecord], *, grace_seconds: float) -> None:
    """End those of `records` that still run, with their process groups, and wait until they are gone."""
    if grace_seconds > 0:
        for record in records:
            _signal_group(record, signal.SIGTERM)
        _await_end(records, seconds=grace_seconds)
    for record in records:
        _signal_group(record, signal.SIGKILL)
    if not _await_end(records, seconds=_KILL_SECONDS):
        names = ", ".join(f"{record.spec.name} (pid {record.pid})" for record in records if record.is_running)
        raise StartError(f"These processes don't end, even by SIGKILL: {names}.")


def _signal_group(record: ProcessRecord, number: signal.Signals) -> None:
    # Only while the recorded leader lives is its number certain to mean our group.
    if record.is_running:
        try:
            os.killpg(record.pid, number)
        except ProcessLookupError:
            pass
        except PermissionError as error:
            # Some systems say so of a group that is just ending.
            if record.is_running:
                raise StartError(
                    f"{record.spec.name} (pid {record.pid}) was started by another user, such as root by sudo.",
                    remedy='Run the same command as that user: sudo "$(command -v podwright)" …',
                ) from error


def _signal_process(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _await_end(records: Sequence[ProcessRecord], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        running = any(record.is_running for record in records)
        # After that look: one that ended before it must not stay behind as a zombie.
        for record in records:
            _reap(record)
        if not running:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)


def _reap(record: ProcessRecord) -> None:
    # Without this a long-lived starter, such as a test run, would collect zombies.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(record.pid, os.WNOHANG)
