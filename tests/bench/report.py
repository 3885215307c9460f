"""The tables of a result, and the page of the documentation that is made of them. Pure but for `write_page`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from tests.bench import array_tables, counters, workloads
from tests.bench.goals import GOALS
from tests.bench.tables import Table, cell, markdown
from tests.bench.thresholds import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.result import Result, Round
    from tests.bench.thresholds import Comparison

_DOCUMENTATION: Final = Path(__file__).parents[2] / "docs" / "reference"
PAGE: Final = _DOCUMENTATION / "benchmarks.md"
DATA: Final = _DOCUMENTATION / "benchmarks.json"
_TITLES: Final = {workload.name: workload.title for workload in (*workloads.ALL, workloads.BULK)}
_ROWS: Final = (
    ("jobs/s", "jobs_per_second", ""),
    ("submitted to pod created, p50", "submit_to_pod_p50_ms", " ms"),
    ("submitted to pod created, p99", "submit_to_pod_p99_ms", " ms"),
    ("pod created to finished, p50", "pod_to_finished_p50_ms", " ms"),
    ("pod created to finished, p99", "pod_to_finished_p99_ms", " ms"),
    ("submitted to finished, p50", "submit_to_finished_p50_ms", " ms"),
    ("submitted to finished, p99", "submit_to_finished_p99_ms", " ms"),
    ("controller's writes per job", "controller_writes", ""),
    ("everybody's writes per job", "all_writes", ""),
    ("controller's CPU per job", "controller_cpu_ms", " ms"),
    ("API server's CPU per job", "kube-apiserver_cpu_ms", " ms"),
    ("etcd's CPU per job", "etcd_cpu_ms", " ms"),
    ("everything's CPU per job", "whole_cpu_ms", " ms"),
    ("controller's memory", "controller_resident", " MiB"),
)


def tables(result: Result, comparisons: Sequence[Comparison]) -> list[Table]:
    """All tables of a result."""
    found = [_goals(result)]
    for load, title in (
        ("burst", f"A burst of {result.parameters.jobs}"),
        ("paced", f"{result.parameters.paced_rate:g} per second"),
    ):
        if any(measured.load == load for measured in result.rounds):
            found.append(_loads(load, title, result))
    if result.rounds:
        found.append(_writes(result))
    if result.throughput is not None or result.memory is not None:
        found.append(_engine(result))
    found += array_tables.tables(result)
    if comparisons:
        found.append(_thresholds(comparisons))
    return found


def facts(result: Result) -> str:
    """Where the numbers come from, and what to know about them."""
    parameters, rounds, array = result.parameters, result.rounds, result.array
    loads = [measured.other_load for measured in rounds]
    if array is not None:
        loads += [*(pods.other_load for pods in array.pods), array.other_load]
    lines = [f"- Run: {result.facts.date}, commit {result.facts.commit}", f"- Machine: {result.facts.machine}"]
    if loads:
        lines.append(
            f"- Cluster: embedded Kubernetes {result.facts.kubernetes}, {parameters.fake_nodes} fake nodes whose pods end at"
            " once. Everything, the client too, shares the machine. etcd doesn't wait for the disk (no fsync)"
        )
    if rounds:
        done = sum((r.load, r.workload) == ("burst", workloads.BATCH_JOB.name) for r in rounds)
        each = f"{done} rounds" if done > 1 else "one round"
        lines.append(
            f"- {each}, each with bare pods, native Jobs and BatchJobs in turn: medians over the rounds, extremes in brackets."
            " For bulk accounting another operator takes the place of the first, and is warmed up. Times are of the submitting client's own clock,"
            " by watches"
        )
    if loads:
        lines.append(
            f"- During the rounds other programs kept {max(loads):.1f} cores busy at most,"
            f" {sum(loads) / len(loads):.1f} on average"
        )
    return "\n".join(lines + [f"- {note}" for note in result.notes])


def page(result: Result) -> str:
    """The page of the documentation."""
    return (
        "# Benchmarks\n\n"
        "What `make bench` measured. This page is made by `python -m tests.bench --report` from"
        " [benchmarks.json](benchmarks.json); don't edit it.\n\n"
        f"{facts(result)}\n\n{markdown(tables(result, []))}"
    )


def write_page(result: Result, encoded: bytes) -> None:
    """Write the page and the data that it is made of."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    DATA.write_bytes(encoded)
    PAGE.write_text(page(result), encoding="utf-8")


def _goals(result: Result) -> Table:
    rows = []
    sizes = msgspec.structs.asdict(result.parameters)
    for goal in GOALS:
        met, measured = goal.met(result.metrics), result.metrics.get(goal.metric)
        verdict = goal.not_yet or "not measured" if met is None else "met" if met else "NOT MET"
        rows.append([goal.text.format_map(sizes), goal.bound, cell(measured, goal.unit), verdict])
    return Table(title="Goals", columns=["goal", "bound", "measured", ""], rows=rows)


def _loads(load: str, title: str, result: Result) -> Table:
    names = [name for name in _TITLES if f"{load}.{name}.jobs_per_second" in result.metrics]
    rows = []
    for text, metric, unit in _ROWS:
        measured = [result.metrics.get(f"{load}.{name}.{metric}") for name in names]
        if any(measured) and not (load == "paced" and metric == "jobs_per_second"):
            rows.append([text, *(cell(found, unit) for found in measured)])
    return Table(
        title=title,
        columns=["", *(_TITLES[name] for name in names)],
        rows=rows,
        text="Controller: the operator, or the Job controller and the process that it is part of."
        + (_ratios(result) if load == "burst" else ""),
    )


def _ratios(result: Result) -> str:
    speed, work = (result.metrics.get(f"burst.batchjob.{name}_to_job") for name in ("ratio", "cpu_ratio"))
    if speed is None or work is None:
        return ""
    return f" BatchJob to native Job, within each round: {cell(speed, 'x')} the jobs/s; jobs by CPU: {cell(work, 'x')}."


def _writes(result: Result) -> Table:
    groups = {name: [r for r in result.rounds if r.load == "burst" and r.workload == name] for name in _TITLES}
    keys = sorted({key for rounds in groups.values() for r in rounds for key in r.writes})
    keys.sort(key=lambda key: key.startswith(f"{counters.EVERYBODY}: "))
    rows = [[key, *(_average(groups[name], key) for name in _TITLES)] for key in keys]
    leases = [measured.lease_writes for measured in result.rounds if measured.workload == "batchjob"]
    return Table(
        title="API requests that write, per job of a burst",
        columns=["who: what", *_TITLES.values()],
        rows=rows,
        text=f"By the API server's own count. The operator's Lease is apart: {sum(leases) / len(leases):.2f} per second."
        if leases
        else "",
    )


def _average(rounds: Sequence[Round], key: str) -> str:
    return f"{sum(r.writes.get(key, 0.0) for r in rounds) / len(rounds):.2f}" if rounds else "-"


def _engine(result: Result) -> Table:
    rows: list[list[str]] = []
    if (alone := result.throughput) is not None:
        rows += [
            [f"jobs/s, {alone.jobs} at once (the simulator is the limit)", f"{alone.jobs_per_second:.0f}"],
            ["operator's CPU per job", f"{1e6 * alone.cpu_per_job:.0f} µs"],
            ["simulator's CPU per job", f"{1e6 * alone.simulator_cpu_per_job:.0f} µs"],
            ["cores that other programs kept busy meanwhile", f"{alone.other_load:.1f}"],
        ]
    if (memory := result.memory) is not None:
        rows += [
            ["memory without jobs", f"{memory.resident_idle:.0f} MiB"],
            [f"memory with {memory.active_jobs} active jobs", f"{memory.resident_active:.0f} MiB"],
            ["its peak until then", f"{memory.resident_active_peak:.0f} MiB"],
            [f"memory with {memory.finished_jobs} finished jobs more", f"{memory.resident_former:.0f} MiB"],
            [f"memory with {2 * memory.finished_jobs} finished jobs more", f"{memory.resident_finished:.0f} MiB"],
            ["start to first pod after a restart", f"{memory.restart_seconds:.2f} s"],
            ["CPU until then", f"{memory.cpu_restart:.2f} s"],
            ["memory after the restart", f"{memory.resident_restarted:.0f} MiB"],
        ]
    return Table(
        title="The operator alone",
        columns=["", "measured"],
        rows=rows,
        text="Against a simulated API server in another process, over plain HTTP.",
    )


def _thresholds(comparisons: Sequence[Comparison]) -> Table:
    rows = [
        [
            compared.limit.metric,
            f"{'≥' if compared.limit.better == 'higher' else '≤'} {compared.limit.bound:.4g}",
            "-" if compared.value is None else f"{compared.value:.4g}",
            "WORSE" if compared.verdict is Verdict.WORSE else compared.verdict.value,
            compared.why or f"{compared.limit.measured:g} in {compared.limit.run}, margin {compared.limit.margin:g} %",
        ]
        for compared in comparisons
    ]
    return Table(title="Thresholds", columns=["metric", "bound", "measured", "", "run"], rows=rows)
