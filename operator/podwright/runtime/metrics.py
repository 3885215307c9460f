"""The operator's Prometheus metrics. Names and labels are an interface: dashboards and alerts are built on them.

Labels never hold names of users' objects but for namespaces, so the number of series is bounded.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import generate_latest

from podwright.core.commands import Command, CreateChild, Delete, PatchChild, Release, WriteStatus
from podwright.core.model.array import ArrayRecord
from podwright.core.model.job import JobView
from podwright.kube.responses import Ambiguous, ApiResponse, Unsent
from podwright.runtime.lanes import Result, Withheld
from podwright.runtime.turns import LoopTurns

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """All counters and gauges, in a registry of their own so that several operators can live in one process.

    `turns` is what measures the event loop; without one, nothing does.
    """

    def __init__(self, turns: LoopTurns | None = None) -> None:
        self.registry = CollectorRegistry()
        self._writes = Counter(
            "podwright_api_writes",
            "API requests that write, by command and result.",
            ["command", "result"],
            registry=self.registry,
        )
        self._write_counts: dict[tuple[str, str], Counter] = {}
        self._decisions = Counter("podwright_decisions", "Reconciliations of a job.", registry=self.registry)
        self._commands = Counter("podwright_commands", "Commands that decisions asked for.", registry=self.registry)
        self._errors = Counter(
            "podwright_internal_errors",
            "Reconciliations that failed with an internal error of Podwright.",
            registry=self.registry,
        )
        self._undecodable = Counter(
            "podwright_undecodable_objects", "Objects that could not be read.", ["kind"], registry=self.registry
        )
        self._events = Counter(
            "podwright_events",
            "Kubernetes Events of jobs, by result: sent, failed, or dropped where too many waited.",
            ["result"],
            registry=self.registry,
        )
        self._fenced = Counter(
            "podwright_fence_rejections",
            "Pods refused by the admission policy for being of a former epoch.",
            registry=self.registry,
        )
        self._clock_ahead = Gauge(
            "podwright_clock_ahead_seconds",
            "By how much the operator's clock is ahead of the API server's; beyond 30 s the latter's time counts.",
            registry=self.registry,
        )
        self._too_large = Counter(
            "podwright_statuses_too_large",
            "Status writes that were refused since the object is too large with it; only that object is affected.",
            registry=self.registry,
        )
        self._finished = Counter(
            "podwright_jobs_finished", "Jobs that this operator brought to an end.", ["phase"], registry=self.registry
        )
        self._tasks = Counter(
            "podwright_array_tasks_finished",
            "Tasks of arrays that this operator recorded as done, as failed for good or as not to be run.",
            ["outcome"],
            registry=self.registry,
        )
        self._dead_letters = Gauge(
            "podwright_dead_letters",
            "Jobs that used up their retries and wait for somebody to deal with them.",
            ["namespace"],
            registry=self.registry,
        )
        self._told_dead_letters: dict[str, int] = {}
        self._kept = Gauge("podwright_objects_kept", "Objects in memory.", ["kind"], registry=self.registry)
        self._writer = Gauge("podwright_writer", "State of the writer pool.", ["state"], registry=self.registry)
        self._longest = 0.0
        self._longest_turn = Gauge(
            "podwright_event_loop_longest_turn_seconds",
            "The longest time for which the engine held the event loop since the start.",
            registry=self.registry,
        )
        self._cache_age = Gauge(
            "podwright_cache_age_seconds",
            "Seconds since the API server last told something of a kind, be it only that nothing happened.",
            ["kind"],
            registry=self.registry,
        )
        self._relists = Counter(
            "podwright_cache_relists",
            "How often all objects of a kind were listed again.",
            ["kind"],
            registry=self.registry,
        )
        self._watches = Counter(
            "podwright_watch_restarts",
            "How often a watch of a kind was opened again.",
            ["kind"],
            registry=self.registry,
        )
        self._cache_problem = Gauge(
            "podwright_cache_problem",
            "1 while objects of a kind can't be listed or watched, by cause.",
            ["kind", "cause"],
            registry=self.registry,
        )
        self._blind = Gauge(
            "podwright_blind",
            "1 while nothing was heard of a kind for so long that this operator must not lead.",
            ["kind"],
            registry=self.registry,
        )
        self._turns = turns or LoopTurns()
        self.registry.register(self._turns)
        self._causes: dict[str, tuple[str, ...]] = {}
        self._leading = Gauge("podwright_leading_shards", "Shards that this operator holds.", registry=self.registry)

    def turn(self, seconds: float) -> None:
        """Record how long the engine held the event loop."""
        if seconds > self._longest:
            self._longest = seconds
            self._longest_turn.set(seconds)

    def decided(self, commands: int) -> None:
        """Count a decision."""
        self._decisions.inc()
        if commands:
            self._commands.inc(commands)

    def answered(self, command: Command, result: Result, *, before: Any) -> None:
        """Count the result of a write on a job as it was `before`, and what ended if the write recorded that."""
        self._count_of(_name(command), _label(result)).inc()
        written = isinstance(result, ApiResponse) and result.status < 300
        if not (written and isinstance(command, WriteStatus)):
            return
        if not isinstance(before, JobView):
            return
        if command.status.is_over:
            self._finished.labels(str(command.status.phase)).inc()
        if command.status.array is not None:
            known = before.status.array or ArrayRecord()
            record = command.status.array
            self._tasks.labels("succeeded").inc(len(record.succeeded - known.succeeded))
            self._tasks.labels("failed").inc(len(record.failed - known.failed))
            self._tasks.labels("skipped").inc(len(record.skipped - known.skipped))

    def _count_of(self, command: str, result: str) -> Counter:
        found = self._write_counts.get((command, result))
        if found is None:
            found = self._write_counts[command, result] = self._writes.labels(command, result)
        return found

    def internal_error(self) -> None:
        """Count an error of ours."""
        self._errors.inc()

    def undecodable(self, kind: str) -> None:
        """Count an object that could not be read."""
        self._undecodable.labels(kind).inc()

    def status_too_large(self) -> None:
        """Count a status that did not fit."""
        self._too_large.inc()

    def event_recorded(self, result: str) -> None:
        """Count a Kubernetes Event that was sent, failed, or was dropped."""
        self._events.labels(result).inc()

    def fenced(self) -> None:
        """Count a pod that the fence refused."""
        self._fenced.inc()

    def observe(
        self,
        *,
        jobs: int,
        pods: int,
        backlog: int,
        under_way: int,
        limit: int,
        leading: int,
        dead_letters: Mapping[str, int],
        clock_ahead: float = 0.0,
    ) -> None:
        """Set the gauges; called when the metrics are read. `dead_letters` are counted by namespace, `clock_ahead` is in seconds."""
        self._clock_ahead.set(clock_ahead)
        self._kept.labels("job").set(jobs)
        self._kept.labels("pod").set(pods)
        self._writer.labels("waiting").set(backlog)
        self._writer.labels("sent").set(under_way)
        self._writer.labels("limit").set(limit)
        self._leading.set(leading)
        for namespace in self._told_dead_letters.keys() - dead_letters.keys():
            self._dead_letters.remove(namespace)
        for namespace, count in dead_letters.items():
            if self._told_dead_letters.get(namespace) != count:
                self._dead_letters.labels(namespace).set(count)
        self._told_dead_letters = dict(dead_letters)

    def mirrored(
        self, *, kind: str, age: float, relists: int, rewatches: int, causes: Collection[str], blind: bool
    ) -> None:
        """Set what is known of the cache of a kind, and count what was done since the last time; called when metrics are read.

        `age` in seconds; `causes` are what keeps it from being brought up to date.
        """
        self._cache_age.labels(kind).set(age)
        self._relists.labels(kind).inc(relists)
        self._watches.labels(kind).inc(rewatches)
        self._blind.labels(kind).set(blind)
        for cause in self._causes.pop(kind, ()):
            self._cache_problem.remove(kind, cause)
        for cause in causes:
            self._cache_problem.labels(kind, cause).set(1)
        self._causes[kind] = tuple(causes)

    def exposition(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self.registry)


def _name(command: Command) -> str:
    """Name a command and what it is about, such as CreatePod."""
    match command:
        case CreateChild():
            return f"Create{command.kind}"
        case Delete():
            return f"Delete{command.target.kind}"
        case Release():
            return f"Release{command.target.kind}"
        case PatchChild():
            return f"Patch{command.target.kind}"
        case _:
            return type(command).__name__


def _label(result: Result) -> str:
    if isinstance(result, Withheld):
        return result.reason
    if isinstance(result, Unsent):
        return "Unsent"
    return "Ambiguous" if isinstance(result, Ambiguous) else str(result.status)
