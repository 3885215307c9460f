"""What the policies see of the cluster: frozen, slim pictures of jobs and pods.

`kube.decode` makes them from API objects, the store keeps them, the policies in `core` read them. They hold only what a
policy needs, since thousands stay in memory. Times are seconds since the Unix epoch, durations seconds.
"""

import enum

import msgspec

from podwright.core.run.phase import Phase
from podwright.core.spec import (
    ArraySpec,
    CancelMode,
    DeliveryMode,
    Dependency,
    FailurePolicy,
    Retention,
    RetryPolicy,
)
from podwright.core.values.index_set import EMPTY, IndexSet
from podwright.core.values.ref import JOB, POD, Ref


class PodPhase(enum.StrEnum):
    """`status.phase` of a pod."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class Outcome(enum.StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"  # ended because the job was suspended or cancelled, or ran out of time: no failure of its own
    LOST = "Lost"  # its pod vanished before its end was seen


class FailedContainer(msgspec.Struct, frozen=True, gc=False):
    """A container that ended with another exit code than 0, or None if what is said to be one is nobody's.

    `signal` is a name such as SIGKILL, "" if none ended it.
    """

    name: str
    exit_code: int | None
    signal: str = ""
    reason: str = ""


class PodView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One pod of one attempt.

    `started` is when the kubelet took it up, before it pulled any image; `containers_started` is when the last of its
    containers began to run, None unless all of them have.
    `failed` are the containers that decided a failure, by the time of their end. `message` is the first's termination message; of a success the
    first there is. `conditions` are pairs of type and status, without those that every pod has.
    `held` tells whether our finalizer keeps the pod until its end is on record; with bulk accounting it never has one.
    `deletion_requested` is when the deletion was asked for, not the `deletionTimestamp`, which lies `deletion_grace` later.
    `completed` is when the last container with exit code 0 ended, if others failed or run on; those that do are in `running_on`.
    `gone` marks a pod that the API server no longer has although its end was never recorded.
    `lacks` are the marks of ours that the pod was created with and does not have (`core.job.identity`). Without the label of the
    job's uid no watch reports it.
    """

    uid: str
    namespace: str
    name: str
    resource_version: int
    job_uid: str
    job_name: str
    task_index: int
    attempt: int
    created: float
    held: bool
    phase: PodPhase = PodPhase.PENDING
    node: str = ""
    started: float | None = None
    containers_started: float | None = None
    ended: float | None = None
    deletion_requested: float | None = None
    deletion_grace: float | None = None
    termination_grace: float = 30.0
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    waiting_reason: str = ""
    waiting_message: str = ""
    disruption: str = ""
    failed: tuple[FailedContainer, ...] = ()
    conditions: tuple[tuple[str, str], ...] = ()
    completed: float | None = None
    running_on: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    gone: bool = False

    @property
    def ref(self) -> Ref:
        """Return the pod's reference."""
        return Ref(POD, self.uid)

    @property
    def owner(self) -> Ref:
        """Return the reference of the job that controls the pod."""
        return Ref(JOB, self.job_uid)

    @property
    def finished(self) -> bool:
        """Return whether no container of this pod runs or will ever run again."""
        if self.gone or self.phase in (PodPhase.SUCCEEDED, PodPhase.FAILED):
            return True
        # The API server refuses to bind a pod that is being deleted, so one without a node can never start.
        return self.deletion_requested is not None and not self.node

    @property
    def unsettled(self) -> bool:
        """Return whether the pod is there and something may be left to do about it: it is held, or may still run."""
        return not self.gone and (self.held or not self.finished)


class Budget(enum.StrEnum):
    """Which of `spec.retry`'s limits a failure is charged to."""

    USER = "User"
    PLATFORM = "Platform"
    TIMEOUT = "Timeout"


class Attempt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`status.attempts[]`: one try to run the job, in one pod. `outcome` is None while it goes on.

    `index` is the task's or pack's, in an array. A failure without a `budget` was free.
    """

    index: int | None = None
    number: int
    pod_name: str
    pod_uid: str = ""
    node: str = ""
    started: float | None = None
    ended: float | None = None
    outcome: Outcome | None = None
    budget: Budget | None = None
    exit_code: int | None = None
    reason: str = ""
    message: str = ""


class RetryGroup(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`status.array.retries[]`, `.taskFailures[]`: tasks (or packs) that are not done and were tried alike.

    `due` is when their next attempt may start, None for at once.
    """

    indexes: IndexSet
    attempts: int
    failed: int = 0
    platform: int = 0
    timeouts: int = 0
    out_of_memory: int = 0
    lost_nodes: int = 0
    due: float | None = None


class EndingGroup(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`status.array.ending[]`: units whose current attempt we end, and go on with the job; on record before any pod is deleted for it."""

    indexes: IndexSet
    reason: str
    message: str = ""


class FailureOnNode(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`status.array.nodeFailures[]`: attempts failed so on this node."""

    node: str
    reason: str
    exit_code: int | None = None


class ArrayRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`status.array`. What is in none of its sets has not ended an attempt.

    `skipped` are tasks that are not to run, since what they wait for ended otherwise; `given_up` is how many of `failed` never ran
    for that reason, `not_retried` how many were not to be tried again whatever retries were left, or had none. The units in `started` matter under AtMostOnce only. `lost_nodes` and `node_failures` are kept while they
    may tell against the job (`core.array.suspicion`).
    """

    succeeded: IndexSet = EMPTY
    failed: IndexSet = EMPTY
    skipped: IndexSet = EMPTY
    running: IndexSet = EMPTY
    started: IndexSet = EMPTY
    retries: tuple[RetryGroup, ...] = ()
    task_failures: tuple[RetryGroup, ...] = ()
    given_up: int = 0
    not_retried: int = 0
    lost_nodes: tuple[str, ...] = ()
    node_failures: tuple[FailureOnNode, ...] = ()
    ending: tuple[EndingGroup, ...] = ()

    @property
    def tried(self) -> IndexSet:
        """Return the units that have ended an attempt and aren't done."""
        return IndexSet.of_ranges(span for group in self.retries for span in group.indexes.ranges)


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
        return self.phase is not None and self.phase.terminal

    @property
    def has_begun(self) -> bool:
        """Return whether a pod of the job is, or may be, on record. Tasks that are given up before they run need none."""
        if self.attempts or self.attempt_count:
            return True
        return self.array is not None and bool(self.array.running or self.array.started)


class JobView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One BatchJob. `template` is the raw JSON of `spec.template`, empty once the job is terminal (never needed again).

    `origin_uid` is the uid of the job that this one restarts or redrives. `work_uid` and `tokens_before` are `core.job.work`'s.
    `problem` says why the spec can't be carried out, where the API server could not find that out. `start_timeout` and the
    like are `spec.timeouts`.
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


class RefusalKind(enum.StrEnum):
    """Why a pod could not be created, as far as it decides what to do next."""

    PERMANENT = "Permanent"  # the same pod will be refused again: the job fails with the server's words
    RETRYABLE = "Retryable"  # quota, missing service account, outage: try later, nothing is counted
    COLLISION = "Collision"  # somebody else's pod has the name: this attempt fails, the next has another name


class Refusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last refusal of an attempt's pod; `count` in a row, for the same reason since `since`.

    Kept in memory only: after a restart it is asked again.
    """

    task_index: int = 0
    attempt: int
    kind: RefusalKind
    reason: str
    message: str
    at: float
    count: int
    since: float = 0.0
