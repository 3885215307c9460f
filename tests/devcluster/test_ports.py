from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from podwright.devcluster.cache import CACHE_VARIABLE, cache_directory, exclusive
from podwright.devcluster.files import try_lock
from podwright.devcluster.ports import free_ports

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the ports of this test are locked."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    return tmp_path / "ports"


def test_u28_no_lock_file_stays(directory: Path) -> None:
    with free_ports(3) as ports:
        assert len(set(ports)) == 3
        assert {path.name for path in directory.iterdir()} >= {str(port) for port in ports}
    assert list(directory.iterdir()) == []
    with exclusive("build", while_waiting=lambda _: None):
        assert (cache_directory() / "locks" / "build.lock").exists()
    assert list((cache_directory() / "locks").iterdir()) == []


def test_u28_what_killed_starters_left_is_removed_and_what_is_held_stays(directory: Path) -> None:
    directory.mkdir()
    (directory / "18000").touch()
    with try_lock(directory / "18001") as held, free_ports(1):
        assert held
        assert not (directory / "18000").exists()
        assert (directory / "18001").exists()


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with try_lock(path) as first, try_lock(path) as second:
        assert (first, second) == (True, False)
    with try_lock(path) as third:
        assert third


def test_many_processes_never_hold_a_lock_together(tmp_path: Path) -> None:
    """Each adds one to a number, by reading and writing, while it holds the lock; none is lost."""
    code = (
        "import sys, time; from pathlib import Path; from podwright.devcluster.cache import exclusive\n"
        "number = Path(sys.argv[1])\n"
        "for _ in range(20):\n"
        "    with exclusive('number', while_waiting=lambda _: None):\n"
        "        found = int(number.read_text()); time.sleep(0.001); number.write_text(str(found + 1))\n"
    )
    number = tmp_path / "number"
    number.write_text("0")
    environment = os.environ | {CACHE_VARIABLE: str(tmp_path / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    counting = [subprocess.Popen([sys.executable, "-c", code, str(number)], env=environment) for _ in range(4)]
    assert [process.wait(timeout=60) for process in counting] == [0, 0, 0, 0]
    assert number.read_text() == "80"
