from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from podwright import __version__
from podwright.cli import dev
from tests.unit.cli.program import PODWRIGHT, run

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data directory, whose cluster is taken down whatever happened."""
    directory = tmp_path / "cluster"
    yield directory
    answer = run("dev", "down", "--data", str(directory))
    assert answer.returncode == 0, answer.stderr


def up(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("dev", "up", "--nodes", "fake", "--data", str(data), *arguments)


def test_the_default_place_is_below_the_state_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert dev.default_data_directory() == tmp_path / "podwright" / "cluster"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert dev.default_data_directory() == tmp_path / ".local" / "state" / "podwright" / "cluster"


def test_the_data_argument_is_named_only_where_needed_and_quoted() -> None:
    assert dev.data_argument(dev.default_data_directory().resolve()) == ""
    assert dev.data_argument(Path("/two words")) == " --data '/two words'"


def test_status_without_a_cluster_says_how_to_start_one(data: Path) -> None:
    answer = run("dev", "status", "--data", str(data))
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr == (f"podwright: There is no cluster in {data}.\nStart one: podwright dev up --data {data}\n")


def test_down_without_a_cluster_is_no_error(data: Path) -> None:
    answer = run("dev", "down", "--data", str(data))
    assert (answer.returncode, answer.stdout) == (0, f"There is no cluster in {data}.\n")


def test_the_data_directory_can_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(dev.DATA_VARIABLE, str(tmp_path / "named"))
    assert str(tmp_path / "named") in run("dev", "down").stdout


def test_a_damaged_cluster_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text("{")
    answer = run("dev", "status", "--data", str(tmp_path))
    assert answer.returncode == 1
    assert str(tmp_path / "cluster.json") in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_kubeconfig_and_a_kind_of_cluster_exclude_each_other(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("{}")
    answer = run(
        "dev", "up", "--kubeconfig", str(kubeconfig), "--cluster", "embedded", "--data", str(tmp_path / "data")
    )
    assert answer.returncode == 1
    assert "can't be chosen" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.cluster
@pytest.mark.timeout(240)
def test_a_cluster_from_up_to_down(data: Path) -> None:
    started = up(data, "--fake-nodes", "2")
    assert started.returncode == 0, started.stderr
    assert "SIMULATED" in started.stdout
    assert f"export KUBECONFIG={data / 'kubeconfig'}" in started.stdout
    assert f"podwright dev down --data {data}" in started.stdout

    # U2: what it tells the user to type works in a shell that knows nothing else, and finds podwright too.
    lines = [line for line in started.stdout.splitlines() if line.startswith("  ")]
    lines += ["podwright list --all-namespaces || true", "podwright --version", "kubectl podwright --version"]
    knowing_nothing = {"PATH": "/usr/bin:/bin", "HOME": str(data.parent)}
    shell = subprocess.run(
        ["sh", "-euc", "\n".join(lines)], capture_output=True, text=True, check=True, env=knowing_nothing
    )
    assert shell.stdout.count(" Ready ") == 2
    assert shell.stdout.count(__version__) == 2

    # U1: there is nothing to load where pods are simulated, and it says so.
    (data.parent / "image.tar").touch()
    refused = run("dev", "load", str(data.parent / "image.tar"), "--data", str(data))
    assert refused.returncode == 1
    assert "simulated and need no image" in refused.stderr

    shown = run("dev", "status", "--data", str(data))
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count(" Ready ") == 2

    again = up(data)
    assert again.returncode == 0, again.stderr
    assert "already" in again.stderr

    record = next(r for r in json.loads((data / "processes.json").read_text()) if r["spec"]["name"] == "kube-scheduler")
    os.kill(record["pid"], signal.SIGKILL)
    wounded = run("dev", "status", "--data", str(data))
    assert wounded.returncode == 1
    assert "kube-scheduler ended" in wounded.stderr
    assert up(data).returncode == 0
    assert run("dev", "status", "--data", str(data)).returncode == 0

    assert run("dev", "down", "--data", str(data)).stdout == f"The cluster in {data} is gone.\n"
    assert not data.exists()
    assert processes_that_name(data) == []


@pytest.mark.cluster
@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_start_leaves_nothing(data: Path, number: signal.Signals) -> None:
    command = [str(PODWRIGHT), "dev", "up", "--nodes", "fake", "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as starting:
        deadline = time.monotonic() + 30
        while not (data / "processes.json").exists():
            assert starting.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert starting.poll() is None
        starting.send_signal(number)
        said, complaint = starting.communicate(timeout=60)
    assert starting.returncode == 128 + number, (said, complaint)
    assert "Traceback" not in complaint
    assert not data.exists()
    assert processes_that_name(data) == []


def processes_that_name(data: Path) -> list[str]:
    """Command lines of living processes in which the data directory occurs."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(data) in command:
            found.append(command)
    return found
