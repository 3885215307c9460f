"""The bench itself, with hardly any load: that it measures everything it is to measure, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from podwright.devcluster.real_node import why_not_real
from tests.bench import report, thresholds
from tests.bench.__main__ import measure
from tests.bench.goals import GOALS
from tests.bench.result import Parameters

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
TINY = Parameters(
    jobs=5,
    rounds=1,
    connections=2,
    paced_rate=20,
    paced_seconds=0.25,
    fake_nodes=1,
    warm_up=2,
    engine_jobs=5,
    active_jobs=5,
    finished_jobs=5,
    array_tasks=20,
    array_parallelism=5,
    record_tasks=2000,
    record_arrays=1,
    packed_tasks=200,
    pack=100,
    single_tasks=2,
    quota_tasks=6,
    quota_pods=3,
    refused_jobs=5,
    beside_jobs=5,
    flood_arrays=1,
    flood_parallelism=10,
    flood_seconds=0.5,
    rest_seconds=0.1,
)


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_everything_is_measured() -> None:
    result = measure(TINY)
    wanted = {goal.metric for goal in GOALS if not goal.not_yet}
    wanted |= {limit.metric for limit in thresholds.load().limits}
    if why_not := why_not_real():
        assert why_not in "".join(result.notes)
        wanted = {metric for metric in wanted if not metric.startswith("packed.")}
    assert wanted <= result.metrics.keys()
    assert len(result.rounds) == 2 * 3 + 1
    bursts = {measured.workload: measured.writes for measured in result.rounds if measured.load == "burst"}
    assert "operator: create pods" not in bursts["job"]
    assert bursts["job"]["job-controller: create pods"] == 1.0
    assert bursts["batchjob"]["operator: create pods"] == 1.0
    assert bursts["batchjob"]["operator: change status"] >= 1.0
    assert bursts["batchjob"]["all: pods"] == 2.0
    assert "all: batchjobs/status" not in bursts["pods"]
    assert all(measured.cpu["operator"] >= 0 for measured in result.rounds)
    assert result.array is not None
    assert [pods.jobs for pods in result.array.pods] == [result.array.tasks] * 2 == [20, 20]
    assert result.array.writes["operator: create pods"] == 1.0
    assert result.array.writes["operator: change pods"] >= 1.0
    assert 0.0 < result.array.writes["operator: change status"] < 1.0
    assert 0.0 < result.array.seconds <= result.array.released_seconds
    assert bursts["bulk"]["operator: create pods"] == 1.0
    assert "operator: change pods" not in bursts["bulk"]
    assert result.bulk_array is not None
    assert "operator: change pods" not in result.bulk_array.writes
    assert result.record is not None
    assert result.record.status_bytes > 5 * result.record.ranges > 0
    page = report.page(result)
    assert "## Goals" in page
    assert "## An array of 20 tasks" in page
    assert "## The records of arrays of 2000 tasks" in page
    assert ("## 200 packed tasks" in page) == (not why_not)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_it_ends(number: signal.Signals, tmp_path: Path) -> None:
    mark = f"BENCH_TEST={uuid.uuid4()}"
    name, _, value = mark.partition("=")
    command = [sys.executable, "-m", "tests.bench", "--only=engine", "--engine-jobs=1000000"]
    paths = os.pathsep.join([str(ROOT / "operator"), str(ROOT)])
    # Killed, it can't remove its files: they go with the test's.
    environment = os.environ | {name: value, "PYTHONPATH": paths, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as bench:
        try:
            # The bench, the simulator and the operator.
            _until(lambda: len(_marked(mark)) == 3 or bench.poll() is not None, seconds=60)
            assert bench.poll() is None
            bench.send_signal(number)
            bench.wait(timeout=30)
        finally:
            bench.kill()
    assert bench.returncode == (130 if number is not signal.SIGKILL else -signal.SIGKILL)
    _until(lambda: not _marked(mark), seconds=15)


def _until(condition: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _marked(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found
