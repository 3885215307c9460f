"""From what was observed to numbers: percentiles, rounds, and metrics over the rounds. Pure."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import TYPE_CHECKING, Final

from tests.bench import counters
from tests.bench.errors import BenchError
from tests.bench.result import Latency, Measure, Round

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.bench.observer import Timeline
    from tests.bench.result import ArrayRecordRun, ArrayRun, EngineMemory, EngineThroughput, PackedRun, TenantsRun

_CONTROLLERS: Final = {
    "batchjob": (counters.OPERATOR, "operator"),
    "bulk": (counters.OPERATOR, "operator"),
    "job": (counters.JOB_CONTROLLER, "kube-controller-manager"),
}
"""Whose writes, and which process' CPU, belong to a workload."""


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the ordered values don't exceed (nearest rank)."""
    if not ordered:
        raise ValueError("there is no percentile of nothing")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def latency(durations: Iterable[float]) -> Latency:
    """The distribution of some durations."""
    ordered = sorted(durations)
    return Latency(
        count=len(ordered),
        p50=percentile(ordered, 0.50),
        p90=percentile(ordered, 0.90),
        p99=percentile(ordered, 0.99),
        longest=ordered[-1],
    )


def summarize_round(
    *,
    load: str,
    workload: str,
    timelines: Sequence[Timeline],
    writes: Mapping[str, int],
    elapsed: float,
    cpu: Mapping[str, float],
    resident: Mapping[str, float],
    other_load: float,
) -> Round:
    """Put one round together. `writes` and `cpu` are totals of the round, which took `elapsed` seconds in all."""
    lives = [
        (line.submitted, line.pod_created, line.finished)
        for line in timelines
        if line.pod_created is not None and line.finished is not None
    ]
    jobs = len(lives)
    if not jobs or jobs < len(timelines):
        raise BenchError(f"{len(timelines) - jobs} of {len(timelines)} objects have no pod or no end")
    seconds = max(finished for _, _, finished in lives) - min(submitted for submitted, _, _ in lives)
    leases = f"{counters.OPERATOR}: {counters.LEASES}"
    return Round(
        load=load,
        workload=workload,
        jobs=jobs,
        seconds=seconds,
        jobs_per_second=jobs / seconds,
        submit_to_pod=latency(created - submitted for submitted, created, _ in lives),
        # The two watches are independent: news of a job's end may overtake that of its pod's creation.
        pod_to_finished=latency(max(0.0, finished - created) for _, created, finished in lives),
        submit_to_finished=latency(finished - submitted for submitted, _, finished in lives),
        writes={key: count / jobs for key, count in sorted(writes.items()) if count and key != leases},
        lease_writes=writes.get(leases, 0) / elapsed,
        cpu={name: value / jobs for name, value in cpu.items()},
        resident=dict(resident),
        other_load=other_load,
    )


def writes_of(user: str, measured: Round | ArrayRun) -> float:
    """Writes per job, or task, of one user."""
    return sum(count for key, count in measured.writes.items() if key.startswith(f"{user}: "))


def summarize(
    rounds: Sequence[Round],
    throughput: EngineThroughput | None,
    memory: EngineMemory | None,
    *,
    array: ArrayRun | None = None,
    bulk_array: ArrayRun | None = None,
    record: ArrayRecordRun | None = None,
    packed: PackedRun | None = None,
    tenants: TenantsRun | None = None,
) -> dict[str, Measure]:
    """All metrics by name. Latencies in milliseconds, CPU in milliseconds per job, memory in MiB."""
    metrics: dict[str, Measure] = {}
    groups: dict[tuple[str, str], list[Round]] = {}
    for measured in rounds:
        groups.setdefault((measured.load, measured.workload), []).append(measured)
    for (load, workload), group in groups.items():
        for name, values in _values(workload, group).items():
            metrics[f"{load}.{workload}.{name}"] = measure(values)
    for own, other in itertools.product(("batchjob", "bulk"), ("job", "pods")):
        # Between rounds the machine may have become faster or slower; within one, less so.
        pairs = list(zip(groups.get(("burst", own), ()), groups.get(("burst", other), ()), strict=False))
        if pairs:
            ratios = [ours.jobs_per_second / theirs.jobs_per_second for ours, theirs in pairs]
            metrics[f"burst.{own}.ratio_to_{other}"] = measure(ratios)
            # The same by CPU, which other programs disturb less.
            savings = [sum(theirs.cpu.values()) / sum(ours.cpu.values()) for ours, theirs in pairs]
            metrics[f"burst.{own}.cpu_ratio_to_{other}"] = measure(savings)
    if throughput is not None:
        metrics["engine.jobs_per_second"] = measure([throughput.jobs_per_second])
        metrics["engine.cpu_ms"] = measure([1000 * throughput.cpu_per_job])
        metrics["engine.jobs_per_second_per_core"] = measure([1 / throughput.cpu_per_job])
    if memory is not None:
        grown = memory.resident_finished - memory.resident_former
        metrics["engine.resident_active"] = measure([memory.resident_active])
        metrics["engine.kib_per_finished_job"] = measure([1024 * grown / memory.finished_jobs])
        metrics["engine.restart_seconds"] = measure([memory.restart_seconds])
        metrics["engine.resident_restarted"] = measure([memory.resident_restarted])
    single = array_values(array) if array is not None else {}
    if bulk_array is not None:
        single["array.bulk_controller_writes"] = writes_of(counters.OPERATOR, bulk_array)
        single["array.bulk_tasks_per_second"] = bulk_array.tasks_per_second
        single["array.bulk_ratio_to_pods"] = bulk_array.tasks_per_second / bulk_array.pods_per_second
    if record is not None:
        single["record.bytes_per_task"] = record.bytes_per_task
        single["record.status_kib"] = record.status_bytes / 1024
    if packed is not None:
        single["packed.tasks_per_second"] = packed.tasks_per_second
        single["packed.single_per_second"] = packed.single_per_second
        single["packed.ratio_to_single"] = packed.tasks_per_second / packed.single_per_second
    if tenants is not None:
        single |= tenants_values(tenants)
    return metrics | {name: measure([value]) for name, value in single.items()}


def array_values(array: ArrayRun) -> dict[str, float]:
    """The metrics of an array, and of the bare pods beside it."""
    return {
        "array.tasks_per_second": array.tasks_per_second,
        "array.released_per_second": array.tasks / array.released_seconds,
        "array.controller_writes": writes_of(counters.OPERATOR, array),
        "array.all_writes": writes_of(counters.EVERYBODY, array),
        "array.controller_cpu_ms": 1000 * array.cpu["operator"],
        "array.controller_growth": array.resident_highest - array.resident_before,
        "array.status_kib": array.status_bytes / 1024,
        "array.ratio_to_pods": array.tasks_per_second / array.pods_per_second,
        "array.cpu_ratio_to_pods": statistics.fmean(sum(pods.cpu.values()) for pods in array.pods)
        / sum(array.cpu.values()),
    }


def tenants_values(tenants: TenantsRun) -> dict[str, float]:
    """The metrics of tenants that harm each other."""
    values = {
        "tenants.ratio_beside_refused": tenants.ratio_beside_refused,
        "tenants.quota_requests_per_task": tenants.quota.requests_per_task,
        "tenants.quota_busy": tenants.quota.busy,
        "tenants.flood_resident": tenants.flood.resident_highest,
    }
    if tenants.flood.longest_turn_seconds is not None:
        values["tenants.flood_longest_turn_ms"] = 1000 * tenants.flood.longest_turn_seconds
    return values


def measure(values: Sequence[float]) -> Measure:
    """Median and extremes."""
    return Measure(median=statistics.median(values), low=min(values), high=max(values))


def _values(workload: str, group: Sequence[Round]) -> dict[str, list[float]]:
    values = {"jobs_per_second": [measured.jobs_per_second for measured in group]}
    for name in ("submit_to_pod", "pod_to_finished", "submit_to_finished"):
        distributions: list[Latency] = [getattr(measured, name) for measured in group]
        values[f"{name}_p50_ms"] = [1000 * distribution.p50 for distribution in distributions]
        values[f"{name}_p99_ms"] = [1000 * distribution.p99 for distribution in distributions]
    values["all_writes"] = [writes_of(counters.EVERYBODY, measured) for measured in group]
    for process in ("kube-apiserver", "etcd"):
        values[f"{process}_cpu_ms"] = [1000 * measured.cpu[process] for measured in group if process in measured.cpu]
    values["whole_cpu_ms"] = [1000 * sum(measured.cpu.values()) for measured in group]
    if workload in _CONTROLLERS:
        user, process = _CONTROLLERS[workload]
        values["controller_writes"] = [writes_of(user, measured) for measured in group]
        values["controller_cpu_ms"] = [1000 * measured.cpu[process] for measured in group]
        values["controller_resident"] = [measured.resident[process] for measured in group]
    return {name: found for name, found in values.items() if found}
