"""What Podwright wants to reach. A goal may be missed; then the report says so. What must not get worse is in `thresholds`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.result import Measure


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A bound on a metric's median. A metric that no run has yet is one that Podwright can't do yet."""

    text: str
    """May hold `{name}` of a parameter of the run."""
    metric: str
    at_most: float | None = None
    at_least: float | None = None
    unit: str = ""
    not_yet: str = ""
    """Why nothing measures it yet."""

    @property
    def bound(self) -> str:
        """The bound in words."""
        return f"≤ {self.at_most:g}{self.unit}" if self.at_most is not None else f"≥ {self.at_least:g}{self.unit}"

    def met(self, metrics: Mapping[str, Measure]) -> bool | None:
        """Whether the goal is met; None if it wasn't measured."""
        measured = metrics.get(self.metric)
        if measured is None:
            return None
        value = measured.median
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)


_WORKFLOWS: Final = "there are no workflows yet"
GOALS: Final = (
    Goal(
        text="jobs/s of a burst, finalizer and fence on, as a multiple of the native Job's",
        metric="burst.batchjob.ratio_to_job",
        at_least=1.4,
        unit="x",
    ),
    Goal(
        text="the same with bulk accounting (no finalizer)",
        metric="burst.bulk.ratio_to_job",
        at_least=1.9,
        unit="x",
    ),
    # The allowance is for writes that lost a race and were made again.
    Goal(text="operator's writes per job", metric="burst.batchjob.controller_writes", at_most=3.05),
    Goal(text="the same with bulk accounting", metric="burst.bulk.controller_writes", at_most=2.05),
    Goal(
        text="submission to pod, median, 20 jobs/s",
        metric="paced.batchjob.submit_to_pod_p50_ms",
        at_most=20,
        unit=" ms",
    ),
    Goal(
        text="submission to pod, p99, 20 jobs/s", metric="paced.batchjob.submit_to_pod_p99_ms", at_most=100, unit=" ms"
    ),
    Goal(
        text="parent finished to child's pod, p99",
        metric="chain.step_p99_ms",
        at_most=150,
        unit=" ms",
        not_yet=_WORKFLOWS,
    ),
    Goal(text="chain of 20", metric="chain.seconds", at_most=3, unit=" s", not_yet=_WORKFLOWS),
    Goal(text="fan-out of 500", metric="fan_out.seconds", at_most=6, unit=" s", not_yet=_WORKFLOWS),
    Goal(
        text="operator's CPU per job, on the cluster", metric="burst.batchjob.controller_cpu_ms", at_most=1, unit=" ms"
    ),
    Goal(
        text="jobs/s for each core of operator CPU, engine alone",
        metric="engine.jobs_per_second_per_core",
        at_least=1000,
        unit="/s",
    ),
    Goal(text="memory with {active_jobs} active jobs", metric="engine.resident_active", at_most=150, unit=" MiB"),
    Goal(text="memory per further finished job", metric="engine.kib_per_finished_job", at_most=2, unit=" KiB"),
    Goal(text="restart with {active_jobs} active jobs", metric="engine.restart_seconds", at_most=5, unit=" s"),
    Goal(
        text="tasks/s of an array of {array_tasks}, as a multiple of as many bare pods'",
        metric="array.ratio_to_pods",
        at_least=0.75,
        unit="x",
    ),
    # A pod and its release; the allowance is for the status, once a second, and for writes that were made again.
    Goal(text="operator's writes per task of an array", metric="array.controller_writes", at_most=2.05),
    Goal(text="the same with bulk accounting", metric="array.bulk_controller_writes", at_most=1.05),
    Goal(text="memory per task of arrays of {record_tasks}", metric="record.bytes_per_task", at_most=64, unit=" B"),
    Goal(text="status of such an array, at its largest", metric="record.status_kib", at_most=256, unit=" KiB"),
    Goal(text="packed tasks/s on one real node", metric="packed.tasks_per_second", at_least=1000, unit="/s"),
    Goal(
        text="packed tasks/s as a multiple of those of tasks with a pod each",
        metric="packed.ratio_to_single",
        at_least=50,
        unit="x",
    ),
    Goal(
        text="jobs/s beside {refused_jobs} refused jobs of another namespace, as a multiple of those without",
        metric="tenants.ratio_beside_refused",
        at_least=0.9,
        unit="x",
    ),
    Goal(text="operator's requests per task under a full quota", metric="tenants.quota_requests_per_task", at_most=3),
    Goal(text="part of a full quota that is busy", metric="tenants.quota_busy", at_least=0.9),
    Goal(
        text="memory with {flood_arrays} arrays of parallelism {flood_parallelism} and large templates",
        metric="tenants.flood_resident",
        at_most=300,
        unit=" MiB",
    ),
    Goal(
        text="longest that the operator held its event loop up meanwhile",
        metric="tenants.flood_longest_turn_ms",
        at_most=200,
        unit=" ms",
    ),
)
