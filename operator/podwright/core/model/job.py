"""A BatchJob as policies see it, with its status: frozen, slim pictures, since thousands stay in memory.

`kube.codecs` makes them from API objects, the store keeps them. Times are seconds since the Unix epoch, durations seconds.
"""

import msgspec

from podwright.core.model.array import ArrayRecord
from podwright.core.model.attempt import Attempt
from podwright.core.model.phase import TERMINAL, Phase
from podwright.core.spec import ArraySpec, CancelMode, DeliveryMode, Dependency, FailurePolicy, Retention, RetryPolicy
from podwright.core.values.ref import JOB, Ref


class Condition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A `metav1.Condition`; `status` is True or False, never Unknown here."""

    type: str
    status: bool
    reason: str
    message: str
    since: float
    observed_generation: int


class StopRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`status.stop`: why the run is being stopped, or was; on record before any pod is deleted for it. `time` is when it was written.

    `reason` is that of `core.run.stop.Stop`, or the reason of the end that an array has come to.
    """

    reason: str
    message: str
    time: float


class JobStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`status` of a BatchJob. `attempts` holds the last few; the counts are of all that ended.

    `outputs` is a JSON object as text, `artifacts` are pairs of name and URL.
    """

    observed_generation: int = -1
    phase: Phase | None = None
    reason: str = ""
    message: str = ""
    started: float | None = None
    finished: float | None = None
    next_attempt: float | None = None
    stop: StopRecord | None = None
    attempt_count: int = 0
    failed_count: int = 0
    platform_failed_count: int = 0
    timeout_count: int = 0
    out_of_memory_count: int = 0
    lost_node_count: int = 0
    progress: str = ""
    attempts: tuple[Attempt, ...] = ()
    array: ArrayRecord | None = None
    outputs: str = ""
    artifacts: tuple[tuple[str, str], ...] = ()
    duplicate_of: str = ""
    conditions: tuple[Condition, ...] = ()

    @property
    def is_over(self) -> bool:
        """Return whether the job has ended for good: no later write may change how."""
        return self.phase in TERMINAL

    @property
    def has_begun(self) -> bool:
        """Return whether a pod of the job is, or may be, on record. Tasks that are given up before they run need none."""
        if self.attempts or self.attempt_count:
            return True
        return self.array is not None and bool(self.array.running or self.array.running_unlisted or self.array.started)


class JobView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One BatchJob. `template` is the raw JSON of `spec.template`, empty once the job is terminal (never needed again).

    `origin_uid` is the uid of the job that this one restarts or redrives. `work_uid` and `tokens_before` are `core.job.work`'s.
    `problem` says why the spec can't be carried out, where the API server could not find that out. `size` is that of a large job, in
    bytes without its status, `pod_size` that of its pods, or nearly; 0 if they have less than `core.job.oversize.LARGE`. `start_timeout`
    and the like are `spec.timeouts`.
    """

    uid: str
    namespace: str
    name: str
    resource_version: int
    generation: int
    created: float
    template: bytes
    status: JobStatus = JobStatus()
    deleting: bool = False
    priority: int = 0
    suspend: bool = False
    cancel: CancelMode | None = None
    retry: RetryPolicy = RetryPolicy()
    attempt_timeout: float | None = None
    total_timeout: float | None = None
    queue_timeout: float | None = None
    start_timeout: float | None = None
    progress_timeout: float | None = None
    task_timeout: float | None = None
    retention: Retention = Retention()
    array: ArraySpec | None = None
    failure_policy: FailurePolicy = FailurePolicy()
    dead_letter: bool = True
    delivery: DeliveryMode = DeliveryMode.AT_LEAST_ONCE
    worker_timeout: int | None = None
    idempotency_key: str = ""
    origin_uid: str = ""
    work_uid: str = ""
    tokens_before: int = 0
    dedup_window: float = 86400.0
    start_at: float | None = None
    dependencies: tuple[Dependency, ...] = ()
    problem: str = ""
    size: int = 0
    pod_size: int = 0

    @property
    def ref(self) -> Ref:
        """Return the job's reference."""
        return Ref(JOB, self.uid)


class KeyClaim(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which job holds an idempotency key, as the API server last told at `at`.

    `until` is when the key is free again, None while the holder is not over. `problem` says why nothing is known. `no_room` says
    that nobody holds it, and that the namespace has too many keys to claim another.
    """

    holder_uid: str = ""
    holder_name: str = ""
    until: float | None = None
    lease_uid: str = ""
    lease_version: str = ""
    at: float = 0.0
    problem: str = ""
    no_room: bool = False
