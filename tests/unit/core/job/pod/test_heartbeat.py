"""The probe that watches for progress, run in real shells with the clock of the machine."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from podwright.core.attempt.termination_message import ended_for_lack_of_progress
from podwright.core.job.pod.heartbeat import FILE, heartbeat_problem, with_heartbeat
from podwright.core.job.pod.problem import template_problem
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet
from tests.unit.core.job.pack.shells import SHELLS, expanded, shell

if TYPE_CHECKING:
    from pathlib import Path


class Probe:
    """A probe of a container that may go 60 seconds without progress."""

    def __init__(self, directory: Path, shell: list[str], *, packed: bool = False) -> None:
        spec: dict[str, Any] = {"containers": [{"terminationMessagePath": str(directory / "message")}]}
        command = with_heartbeat(spec, limit=60.0, packed=packed)["containers"][0]["livenessProbe"]["exec"]["command"]
        self.file = directory / "heartbeat"
        self._command = [
            *shell,
            *(expanded(word, {}).replace(FILE, str(self.file)) for word in command[1:]),
        ]

    def passes(self) -> bool:
        return subprocess.run(self._command, check=False, timeout=10).returncode == 0

    def seen(self, *, ago: float) -> None:
        """Let the last progress have been seen so many seconds ago."""
        record = self.file.with_name("heartbeat.seen")
        record.write_text(f"{int(int(record.read_text()) - ago)}\n")
        for path in (record, self.file):
            if path.exists():
                time = path.stat().st_mtime - ago
                os.utime(path, (time, time))


@pytest.mark.parametrize("name", list(SHELLS))
def test_silence_is_fatal_once_it_is_too_long_and_a_touch_starts_anew(tmp_path: Path, name: str) -> None:
    probe = Probe(tmp_path, shell(name))
    assert probe.passes()  # the start counts
    probe.seen(ago=50)
    assert probe.passes()
    probe.file.touch()
    assert probe.passes()
    probe.seen(ago=59)
    assert probe.passes()
    assert not (tmp_path / "message").exists()
    probe.seen(ago=5)
    assert not probe.passes()
    message = (tmp_path / "message").read_text()
    assert message == "podwright: no progress for 60s\n"
    assert ended_for_lack_of_progress(message)
    probe.file.write_text("")
    assert probe.passes()


def test_the_message_of_a_pack_waits_beside_the_heartbeat(tmp_path: Path) -> None:
    probe = Probe(tmp_path, shell("dash"), packed=True)
    assert probe.passes()
    probe.seen(ago=90)
    assert not probe.passes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["heartbeat.seen", "heartbeat.stalled"]


@pytest.mark.parametrize(
    ("message", "want"),
    [
        ("podwright: no progress for 60s\n", True),
        ("podwright pack: started 2; succeeded 0; no progress.\n", True),
        ("podwright pack: started 2; succeeded 0.\n", False),
        ("there was no progress for 60s", False),
        ("", False),
    ],
)
def test_the_message_is_recognised(message: str, want: bool) -> None:
    assert ended_for_lack_of_progress(message) is want


@pytest.mark.parametrize(("limit", "period"), [(1.0, 1), (10.0, 1), (60.0, 7), (3600.0, 30)])
def test_the_probe_runs_several_times_within_the_limit(limit: float, period: int) -> None:
    spec = with_heartbeat({"containers": [{}]}, limit=limit, packed=False)
    assert spec["containers"][0]["livenessProbe"]["periodSeconds"] == period


@pytest.mark.parametrize(
    ("container", "volumes", "problem"),
    [
        ({}, [], ""),
        ({"livenessProbe": {}}, [], "livenessProbe is set"),
        ({}, [{"name": "podwright"}], "adds a volume named podwright"),
        ({"volumeMounts": [{"name": "a", "mountPath": "/run/podwright/"}]}, [], "mounts /run/podwright"),
    ],
)
def test_what_stands_in_the_way(container: dict[str, Any], volumes: list[dict[str, Any]], problem: str) -> None:
    spec = {"containers": [container], "volumes": volumes}
    assert problem in heartbeat_problem(spec)
    assert bool(heartbeat_problem(spec)) is bool(problem)
    template = msgspec.json.encode({"spec": spec})
    assert template_problem(template=template, array=None, progress=5.0) == heartbeat_problem(spec)
    assert template_problem(template=template, array=None, progress=None) == ""


def test_packs_are_checked_only_where_tasks_are_packed() -> None:
    template = msgspec.json.encode({"spec": {"containers": [{}]}})
    single = ArraySpec(size=5, tasks=IndexSet.up_to(5))
    assert template_problem(template=template, array=single, progress=None) == ""
    several = msgspec.structs.replace(single, pack=2)
    assert "need command" in template_problem(template=template, array=several, progress=None)
