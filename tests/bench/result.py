"""The result of a run, as it is written to the JSON file. Plain data; times in seconds, memory in MiB unless a name says more."""

from __future__ import annotations

import statistics

import msgspec


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. The defaults take some minutes on two cores."""

    jobs: int = 2000
    """Jobs of a burst."""
    rounds: int = 3
    connections: int = 32
    """Requests that the submitting client has under way at once in a burst."""
    paced_rate: float = 20.0
    """Jobs per second of the load below saturation."""
    paced_seconds: float = 10.0
    fake_nodes: int = 10
    warm_up: int = 300
    """Jobs of each kind before the measured ones. Watches of the API server begin with short queues, and whoever is late on one
    is thrown out; they grow with the first load."""
    engine_jobs: int = 5000
    active_jobs: int = 10_000
    finished_jobs: int = 10_000
    array_tasks: int = 10_000
    """Tasks of the array that runs on the cluster, and number of the bare pods that it is compared with."""
    array_parallelism: int = 500
    record_tasks: int = 100_000
    """Tasks of the arrays whose records are measured."""
    record_arrays: int = 10
    packed_tasks: int = 100_000
    pack: int = 5_000
    single_tasks: int = 60
    """Tasks with a pod each, all at once, that the packed ones are compared with."""
    quota_tasks: int = 300
    """Tasks of two seconds each, all at once if it were not for a quota."""
    quota_pods: int = 30
    refused_jobs: int = 500
    beside_jobs: int = 1000
    """Good jobs of a burst beside these."""
    flood_arrays: int = 20
    flood_parallelism: int = 10_000
    flood_template_bytes: int = 50_000
    flood_seconds: float = 30.0
    rest_seconds: float = 2.0
    """Waited for after a load before memory is looked at: what is left of the load is written and its memory is freed. Half of it
    is waited for between rounds."""
    minutes: float = 20
    """After these no further round begins."""
    cluster: bool = True
    engine: bool = True
    array: bool = True
    packed: bool = True
    tenants: bool = True

    def comparable(self) -> tuple[object, ...]:
        """What must be equal in two runs that are to be compared."""
        return (
            self.jobs,
            self.connections,
            self.paced_rate,
            self.fake_nodes,
            self.engine_jobs,
            self.active_jobs,
            self.finished_jobs,
            self.array_tasks,
            self.array_parallelism,
            self.record_tasks,
            self.record_arrays,
            self.packed_tasks,
            self.pack,
            self.single_tasks,
            self.quota_tasks,
            self.quota_pods,
            self.refused_jobs,
            self.beside_jobs,
            self.flood_arrays,
            self.flood_parallelism,
            self.flood_template_bytes,
        )


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What it ran on."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str

    def __str__(self) -> str:
        return f"{self.cores} cores of {self.processor}, {self.memory_gib:.0f} GiB, {self.system}, Python {self.python}"


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """When and of what a run was made."""

    date: str
    commit: str
    machine: Machine
    kubernetes: str = ""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution of durations."""

    count: int
    p50: float
    p90: float
    p99: float
    longest: float


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One load of one kind. Writes, reads and CPU are per job."""

    load: str
    workload: str
    jobs: int
    seconds: float
    """From the first submission to the last end."""
    jobs_per_second: float
    submit_to_pod: Latency
    pod_to_finished: Latency
    submit_to_finished: Latency
    writes: dict[str, float]
    """API requests that write, as `<user>: <what>`, by the API server's count; everybody's are `all: <what>`."""
    lease_writes: float
    """Of the operator, per second: they don't belong to any job."""
    cpu: dict[str, float]
    """Seconds per job, by process."""
    resident: dict[str, float]
    """MiB at the end, by process."""
    other_load: float
    """Cores that programs other than the measured ones kept busy."""


class EngineThroughput(msgspec.Struct, frozen=True, kw_only=True):
    """The operator alone, as many jobs as it can do."""

    jobs: int
    seconds: float
    jobs_per_second: float
    cpu_per_job: float
    simulator_cpu_per_job: float
    other_load: float


class EngineMemory(msgspec.Struct, frozen=True, kw_only=True):
    """The operator alone, with many jobs at once."""

    active_jobs: int
    resident_idle: float
    resident_active: float
    resident_active_peak: float
    finished_jobs: int
    resident_former: float
    """With `finished_jobs` that have ended."""
    resident_finished: float
    """With twice as many that have ended."""
    restart_seconds: float
    """From the start of a new process to the first pod that it creates."""
    resident_restarted: float
    cpu_restart: float


class ArrayRun(msgspec.Struct, frozen=True, kw_only=True):
    """An array on the cluster. Writes and CPU are per task, memory is the operator's."""

    tasks: int
    parallelism: int
    seconds: float
    """From its submission to its end on record."""
    tasks_per_second: float
    released_seconds: float
    """From its submission until no pod is held any more."""
    status_bytes: int
    """Of the largest status that it had."""
    writes: dict[str, float]
    lease_writes: float
    """Per second."""
    cpu: dict[str, float]
    resident_before: float
    resident_highest: float
    resident_after: float
    other_load: float
    pods: list[Round]
    """The bare pods that it is compared with: before it, and after it."""

    @property
    def pods_per_second(self) -> float:
        """The mean rate of those."""
        return statistics.fmean(each.jobs_per_second for each in self.pods)


class ArrayRecordRun(msgspec.Struct, frozen=True, kw_only=True):
    """The records of large arrays, with the operator alone."""

    arrays: int
    tasks: int
    """Of each array."""
    ranges: int
    """Of indexes that were on record at the beginning, of each array."""
    resident_before: float
    resident_highest: float
    resident_after: float
    status_bytes: int

    @property
    def bytes_per_task(self) -> float:
        """What the operator's memory grew by at most."""
        return (self.resident_highest - self.resident_before) * 2**20 / (self.arrays * self.tasks)


class PackedRun(msgspec.Struct, frozen=True, kw_only=True):
    """Packed tasks on one real node, and tasks with a pod each there. Seconds are from submission to the end on record."""

    tasks: int
    pack: int
    parallelism: int
    pack_parallelism: int
    seconds: float
    tasks_per_second: float
    single_tasks: int
    single_seconds: float
    single_per_second: float


class QuotaRun(msgspec.Struct, frozen=True, kw_only=True):
    """An array in a namespace whose quota is smaller than its parallelism."""

    tasks: int
    pods: int
    """What the quota allows at once."""
    requests_per_task: float
    """Of the operator that write, refused ones included."""
    busy: float
    """The mean part of the quota that live pods filled, from the first time it was full until the last pod was created."""


class FloodRun(msgspec.Struct, frozen=True, kw_only=True):
    """Arrays of great parallelism and large templates, submitted at once."""

    arrays: int
    parallelism: int
    template_bytes: int
    resident_highest: float
    """MiB, of the operator."""
    longest_turn_seconds: float | None
    """Of the operator's event loop: the bound of the histogram's bucket that held the longest; None if it doesn't say."""


class TenantsRun(msgspec.Struct, frozen=True, kw_only=True):
    """What tenants cost each other."""

    refused_jobs: int
    ratio_beside_refused: float
    """The rate of a burst of good jobs beside them, as a part of the rate without them."""
    quota: QuotaRun
    flood: FloodRun


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A metric over the rounds; `low` and `high` are its extremes."""

    median: float
    low: float
    high: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a run."""

    facts: RunFacts
    parameters: Parameters
    notes: list[str]
    rounds: list[Round]
    throughput: EngineThroughput | None
    memory: EngineMemory | None
    array: ArrayRun | None = None
    bulk_array: ArrayRun | None = None
    """A smaller one, with bulk accounting."""
    record: ArrayRecordRun | None = None
    packed: PackedRun | None = None
    tenants: TenantsRun | None = None
    metrics: dict[str, Measure]
