"""Percentiles, rounds and metrics from made-up observations."""

from __future__ import annotations

import pytest

from tests.bench.errors import BenchError
from tests.bench.observer import Timeline
from tests.bench.result import ArrayRecordRun, ArrayRun, EngineMemory, EngineThroughput, PackedRun, Round
from tests.bench.summary import latency, measure, percentile, summarize, summarize_round, writes_of


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1.0), (0.5, 5.0), (0.51, 6.0), (0.9, 9.0), (0.99, 10.0), (1.0, 10.0)]
)
def test_percentile_is_a_value_that_occurred(share: float, expected: float) -> None:
    assert percentile([float(number) for number in range(1, 11)], share) == expected


def test_percentile_of_one_value_is_that_value() -> None:
    assert percentile([3.0], 0.5) == percentile([3.0], 0.99) == 3.0


def test_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


def test_latency_needs_no_order() -> None:
    found = latency([3.0, 1.0, 2.0])
    assert (found.count, found.p50, found.p99, found.longest) == (3, 2.0, 3.0, 3.0)


def make_round(*, workload: str = "batchjob", load: str = "burst", seconds: float = 4.0, jobs: int = 2) -> Round:
    lines = [
        Timeline(submitted=10.0 + index, pod_created=10.5 + index, finished=10.0 + index + seconds - (jobs - 1))
        for index in range(jobs)
    ]
    return summarize_round(
        load=load,
        workload=workload,
        timelines=lines,
        writes={"operator: create pods": 2, "operator: leases": 3, "operator: others": 0, "all: pods": 4},
        elapsed=6.0,
        cpu={"operator": 0.004, "kube-controller-manager": 0.01, "kube-apiserver": 0.1, "etcd": 0.02},
        resident={"operator": 50.0, "kube-controller-manager": 100.0},
        other_load=0.25,
    )


def test_a_round_runs_from_the_first_submission_to_the_last_end() -> None:
    found = make_round()
    assert (found.jobs, found.seconds, found.jobs_per_second) == (2, 4.0, 0.5)
    assert found.submit_to_pod.p99 == 0.5
    assert found.submit_to_finished.p50 == 3.0


def test_writes_and_cpu_are_per_job_and_leases_apart() -> None:
    found = make_round()
    assert found.writes == {"operator: create pods": 1.0, "all: pods": 2.0}
    assert found.lease_writes == 0.5
    assert found.cpu["operator"] == 0.002
    assert writes_of("operator", found) == 1.0


def test_news_of_the_end_may_overtake_news_of_the_pod() -> None:
    line = Timeline(submitted=1.0, pod_created=3.0, finished=2.9)
    found = summarize_round(
        load="burst", workload="job", timelines=[line], writes={}, elapsed=2.0, cpu={}, resident={}, other_load=0.0
    )
    assert found.pod_to_finished.p50 == 0.0


def test_an_unfinished_job_spoils_the_round() -> None:
    line = Timeline(submitted=1.0, pod_created=3.0)
    with pytest.raises(BenchError, match="1 of 1"):
        summarize_round(
            load="burst", workload="job", timelines=[line], writes={}, elapsed=1.0, cpu={}, resident={}, other_load=0.0
        )


def test_metrics_are_medians_and_ratios_are_taken_within_a_round() -> None:
    rounds = []
    for seconds in (4.0, 2.0, 8.0):
        rounds.append(make_round(workload="job", seconds=2 * seconds))
        rounds.append(make_round(seconds=seconds))
    metrics = summarize(rounds, None, None)
    assert metrics["burst.batchjob.jobs_per_second"] == measure([0.5, 1.0, 0.25])
    assert metrics["burst.batchjob.ratio_to_job"] == measure([2.0])
    assert metrics["burst.batchjob.cpu_ratio_to_job"] == measure([1.0])
    assert metrics["burst.batchjob.controller_cpu_ms"].median == 2.0
    assert metrics["burst.job.controller_cpu_ms"].median == 5.0
    assert metrics["burst.job.controller_resident"].median == 100.0
    assert "paced.job.jobs_per_second" not in metrics


def test_metrics_of_the_engine() -> None:
    throughput = EngineThroughput(
        jobs=100, seconds=1, jobs_per_second=100, cpu_per_job=0.0005, simulator_cpu_per_job=0.001, other_load=0
    )
    memory = EngineMemory(
        active_jobs=10,
        resident_idle=50,
        resident_active=60,
        resident_active_peak=61,
        finished_jobs=1024,
        resident_former=60,
        resident_finished=62,
        restart_seconds=1.5,
        resident_restarted=61,
        cpu_restart=1,
    )
    metrics = summarize([], throughput, memory)
    assert metrics["engine.cpu_ms"].median == 0.5
    assert metrics["engine.jobs_per_second_per_core"].median == 2000
    assert metrics["engine.kib_per_finished_job"].median == 2.0
    assert metrics["engine.restart_seconds"].median == 1.5


def test_metrics_of_an_array_are_per_task_and_beside_bare_pods() -> None:
    array = ArrayRun(
        tasks=100,
        parallelism=10,
        seconds=20.0,
        tasks_per_second=5.0,
        released_seconds=25.0,
        status_bytes=2048,
        writes={"operator: create pods": 1.0, "operator: change pods": 1.0, "all: pods": 2.0},
        lease_writes=0.5,
        cpu={"operator": 0.002, "kube-apiserver": 0.01},
        resident_before=80.0,
        resident_highest=90.0,
        resident_after=85.0,
        other_load=0.0,
        pods=[make_round(workload="pods", load="array", seconds=seconds, jobs=1) for seconds in (0.2, 1 / 3)],
    )
    metrics = summarize([], None, None, array=array)
    assert metrics["array.ratio_to_pods"].median == pytest.approx(1.25)
    assert metrics["array.released_per_second"].median == 4.0
    assert metrics["array.controller_writes"].median == 2.0
    assert metrics["array.controller_cpu_ms"].median == 2.0
    assert metrics["array.controller_growth"].median == 10.0
    assert metrics["array.status_kib"].median == 2.0


def test_metrics_of_records_and_packs() -> None:
    record = ArrayRecordRun(
        arrays=2,
        tasks=1024,
        ranges=7,
        resident_before=80.0,
        resident_highest=80.125,
        resident_after=80.0,
        status_bytes=512,
    )
    packed = PackedRun(
        tasks=1000,
        pack=100,
        parallelism=2,
        pack_parallelism=2,
        seconds=2.0,
        tasks_per_second=500.0,
        single_tasks=8,
        single_seconds=2.0,
        single_per_second=4.0,
    )
    metrics = summarize([], None, None, record=record, packed=packed)
    assert metrics["record.bytes_per_task"].median == 64.0
    assert metrics["record.status_kib"].median == 0.5
    assert metrics["packed.tasks_per_second"].median == 500.0
    assert metrics["packed.ratio_to_single"].median == 125.0
