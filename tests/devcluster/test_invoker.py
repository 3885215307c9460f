"""U13: what root makes by sudo lies where its user looks, is theirs to read, and only a clear word stands in their way."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from podwright.devcluster import StartError, cache, state
from podwright.devcluster.files import write_atomically
from podwright.devcluster.invoker import home_directory, invoker, user_directory
from podwright.devcluster.processes import ProcessSpec, Supervisor, end_processes, read_records

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for somebody else")


@pytest.fixture
def by_sudo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """As if `nobody`, whose home is the directory that is yielded, had typed sudo."""
    # Not below pytest's directories, which only root may enter.
    with tempfile.TemporaryDirectory(prefix="podwright-home-") as name:
        home = Path(name)
        os.chown(home, NOBODY, NOBODY)
        entry = pwd.struct_passwd(("nobody", "x", NOBODY, NOBODY, "", str(home), "/bin/sh"))
        monkeypatch.setattr(pwd, "getpwuid", lambda _: entry)
        monkeypatch.setenv("SUDO_UID", str(NOBODY))
        for variable in ("XDG_CACHE_HOME", "XDG_STATE_HOME", cache.CACHE_VARIABLE):
            monkeypatch.delenv(variable, raising=False)
        yield home


def test_without_sudo_nobody_is_the_invoker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    assert invoker() is None
    assert home_directory() == Path.home()


@pytest.mark.parametrize("uid", ["0", "", "-1", "4294967294"], ids=["root", "empty", "no number", "no such user"])
def test_sudo_of_nobody_else_counts_as_none(monkeypatch: pytest.MonkeyPatch, uid: str) -> None:
    monkeypatch.setenv("SUDO_UID", uid)
    assert invoker() is None


@needs_root
def test_u13_cluster_and_cache_are_the_invokers(by_sudo: Path) -> None:
    directory = user_directory("XDG_STATE_HOME", ".local/state") / "podwright" / "cluster"
    assert directory == by_sudo / ".local" / "state" / "podwright" / "cluster"
    assert cache.cache_directory() == by_sudo / ".cache" / "podwright"
    state.prepare_data_directory(directory)
    write_atomically(directory / state.KUBECONFIG_FILE, b"kubeconfig", mode=0o600)
    with cache.exclusive("one", while_waiting=lambda _: None), cache.workspace() as work:
        (work / "tool").mkdir()
        (work / "tool" / "program").write_text("program")
        cache.publish(work / "tool", cache.cache_directory() / "tools" / "tool")
    read = ["cat", str(directory / state.KUBECONFIG_FILE), str(cache.cache_directory() / "tools/tool/program")]
    answer = subprocess.run(read, capture_output=True, text=True, user=NOBODY, group=NOBODY, check=True)
    assert answer.stdout == "kubeconfigprogram"
    subprocess.run(
        ["rm", "-r", str(by_sudo / ".local"), str(by_sudo / ".cache")], user=NOBODY, group=NOBODY, check=True
    )


@needs_root
def test_u13_ending_what_root_started_asks_for_sudo(tmp_path: Path) -> None:
    supervisor = Supervisor(data_directory=tmp_path, cluster_id=f"test-{os.getpid()}-{tmp_path.name}")
    supervisor.start(ProcessSpec(name="sleeper", arguments=("sleep", "300")))
    records = read_records(tmp_path)
    try:
        child = os.fork()
        if child == 0:
            os.setresuid(NOBODY, NOBODY, NOBODY)
            try:
                end_processes(records, grace_seconds=0.0)
            except StartError as error:
                os._exit(7 if "sudo" in error.remedy and "another user" in error.problem else 1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert records[0].is_running
    finally:
        supervisor.stop_all()


def test_the_module_costs_the_command_line_nothing() -> None:
    code = "import sys; import podwright.cli.dev; sys.exit('podwright.devcluster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
