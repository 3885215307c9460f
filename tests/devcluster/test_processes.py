from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from podwright.devcluster import processes
from podwright.devcluster.errors import StartError
from podwright.devcluster.ports import free_ports
from podwright.devcluster.processes import (
    MARKER_VARIABLE,
    ProcessRecord,
    ProcessSpec,
    Supervisor,
    end_cluster,
    end_processes,
    marked_processes,
    read_records,
    start_time_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SLEEP = ("sleep", "300")
# Says that it is there, then outlives SIGTERM.
STUBBORN = (
    sys.executable,
    "-u",
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(300)",
)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    found = Supervisor(data_directory=tmp_path, cluster_id=f"test-{os.getpid()}-{tmp_path.name}")
    yield found
    found.stop_all()


def test_process_is_recorded_logged_and_stopped(
    supervisor: Supervisor, eventually: Callable[[Callable[[], bool], str], None]
) -> None:
    record = supervisor.start(
        ProcessSpec(name="talker", arguments=("sh", "-c", "echo $WORD; exec sleep 300"), environment={"WORD": "hello"})
    )
    eventually(lambda: supervisor.log_tail("talker") == "hello", "the log to be written")
    assert supervisor.records["talker"].is_running
    assert read_records(supervisor.data_directory) == (record,)
    assert os.getsid(record.pid) == record.pid
    supervisor.stop(["talker"])
    assert not record.is_running
    # Reaped, not left as a zombie of this process.
    with pytest.raises(ChildProcessError):
        os.waitpid(record.pid, os.WNOHANG)


def test_a_process_that_ends_between_two_looks_at_it_is_no_zombie(
    supervisor: Supervisor, eventually: Callable[[Callable[[], bool], str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    reap = processes._reap

    def reap_and_let_it_die(record: ProcessRecord) -> None:
        reap(record)
        if record.is_running:
            os.kill(record.pid, signal.SIGKILL)
            eventually(lambda: not record.is_running, "its end")

    record = supervisor.start(ProcessSpec(name="deaf", arguments=STUBBORN))
    eventually(lambda: supervisor.log_tail("deaf") == "up", "the log to be written")
    monkeypatch.setattr(processes, "_reap", reap_and_let_it_die)
    supervisor.stop(["deaf"])
    with pytest.raises(ChildProcessError):
        os.waitpid(record.pid, os.WNOHANG)


def test_recycled_pid_is_not_touched(supervisor: Supervisor) -> None:
    stranger = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        # Start times have a resolution of 10 ms; a pid never comes round again within one.
        time.sleep(0.05)
        record = supervisor.start(ProcessSpec(name="ours", arguments=SLEEP))
        recycled = msgspec.structs.replace(record, pid=stranger.pid)
        assert not recycled.is_running
        end_processes([recycled], grace_seconds=0.0)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_whole_process_group_ends_and_so_do_marked_processes_without_a_record(
    supervisor: Supervisor, eventually: Callable[[Callable[[], bool], str], None]
) -> None:
    supervisor.start(ProcessSpec(name="parent", arguments=("sh", "-c", "sleep 301 & sleep 302")))
    deserter = subprocess.Popen(
        SLEEP, start_new_session=True, env=os.environ | {MARKER_VARIABLE: supervisor.cluster_id}
    )
    eventually(lambda: len(marked_processes(supervisor.cluster_id)) == 4, "all four to run")
    supervisor.stop(["parent"])
    eventually(lambda: marked_processes(supervisor.cluster_id) == (deserter.pid,), "the group to be gone")
    end_cluster(data_directory=supervisor.data_directory, cluster_id=supervisor.cluster_id)
    assert deserter.wait(timeout=5) == -signal.SIGKILL
    assert start_time_of(os.getpid()) is not None


def test_grace_is_given_and_then_over(
    supervisor: Supervisor, eventually: Callable[[Callable[[], bool], str], None]
) -> None:
    polite = supervisor.start(ProcessSpec(name="polite", arguments=SLEEP))
    began = time.monotonic()
    supervisor.stop(["polite"], grace_seconds=10.0)
    assert time.monotonic() - began < 5
    assert not polite.is_running
    stubborn = supervisor.start(ProcessSpec(name="stubborn", arguments=STUBBORN))
    eventually(lambda: supervisor.log_tail("stubborn") == "up", "the process to ignore SIGTERM")
    supervisor.stop(["stubborn"], grace_seconds=0.3)
    assert not stubborn.is_running


def test_stopped_process_can_still_be_ended_and_restarted(supervisor: Supervisor) -> None:
    first = supervisor.start(ProcessSpec(name="frozen", arguments=SLEEP))
    os.kill(first.pid, signal.SIGSTOP)
    second = supervisor.restart("frozen")
    assert not first.is_running
    assert second.is_running
    # A later process of ours, knowing only the directory, sees the same.
    again = Supervisor(data_directory=supervisor.data_directory, cluster_id=supervisor.cluster_id)
    assert again.records == supervisor.records


def test_killed_program_with_many_threads_counts_as_running_until_its_sockets_are_free(supervisor: Supervisor) -> None:
    # The first thread of a dying process is a zombie before the others are gone.
    with free_ports(1) as (port,):
        program = (
            "import socket, threading, time\n"
            f"listener = socket.create_server(('127.0.0.1', {port}))\n"
            "for _ in range(200): threading.Thread(target=time.sleep, args=(300,), daemon=True).start()\n"
            "print('up', flush=True); time.sleep(300)\n"
        )
        spec = ProcessSpec(name="threads", arguments=(sys.executable, "-c", program))
        supervisor.start(spec)
        for _ in range(5):
            deadline = time.monotonic() + 10
            while not supervisor.log_tail("threads").endswith("up"):
                assert time.monotonic() < deadline
                supervisor.require_running("threads")
                time.sleep(0.01)
            supervisor.log_path("threads").write_text("")
            os.kill(supervisor.records["threads"].pid, signal.SIGKILL)
            supervisor.restart("threads")


def test_program_that_is_missing_or_ends_is_reported_with_its_log(
    supervisor: Supervisor, eventually: Callable[[Callable[[], bool], str], None]
) -> None:
    with pytest.raises(StartError, match="/nowhere/etcd"):
        supervisor.start(ProcessSpec(name="etcd", arguments=("/nowhere/etcd",)))
    record = supervisor.start(ProcessSpec(name="broken", arguments=("sh", "-c", "echo no such port; exit 1")))
    eventually(lambda: not record.is_running, "the program to end")
    with pytest.raises(StartError, match="no such port"):
        supervisor.require_running("broken")


def test_free_ports_are_distinct_for_starters_side_by_side() -> None:
    with free_ports(5) as first, free_ports(5) as second:
        assert len({*first, *second}) == 10
