"""What the policies see of the cluster: frozen, slim pictures of jobs and pods.

`kube.decode` makes them from API objects, the store keeps them, the policies in `core` read them. They hold only what a
policy needs, since thousands stay in memory. Times are seconds since the Unix epoch, durations seconds.
"""

import enum

import msgspec

from podwright.core.job.phase import Phase


class PodPhase(enum.StrEnum):
    """`status.phase` of a pod."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class CancelMode(enum.StrEnum):
    """`spec.cancel`: how the running pod of a cancelled job is stopped."""

    GRACEFUL = "Graceful"
    IMMEDIATE = "Immediate"


class Outcome(enum.StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"  # ended because the job was suspended or cancelled, or ran out of time: no failure of its own
    LOST = "Lost"  # its pod vanished before its end was seen


class PodView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One pod of one attempt.

    `deletion_requested` is when the deletion was asked for, not the `deletionTimestamp`, which lies `deletion_grace` later.
    `gone` marks a pod that the API server no longer has although its end was never recorded.
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
    gone: bool = False

    @property
    def finished(self) -> bool:
        """Tell whether no container of this pod runs or will ever run again."""
        if self.gone or self.phase in (PodPhase.SUCCEEDED, PodPhase.FAILED):
            return True
        # The API server refuses to bind a pod that is being deleted, so one without a node can never start.
        return self.deletion_requested is not None and not self.node


class Attempt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`status.attempts[]`: one try to run the job, in one pod. `outcome` is None while it goes on."""

    number: int
    pod_name: str
    pod_uid: str = ""
    node: str = ""
    started: float | None = None
    ended: float | None = None
    outcome: Outcome | None = None
    exit_code: int | None = None
    reason: str = ""
    message: str = ""


class Condition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A `metav1.Condition`; `status` is True or False, never Unknown here."""

    type: str
    status: bool
    reason: str
    message: str
    since: float
    observed_generation: int


class JobStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`status` of a BatchJob. `attempts` holds the last few; `attempt_count` and `failed_count` count all that ended."""

    observed_generation: int = -1
    phase: Phase | None = None
    reason: str = ""
    message: str = ""
    started: float | None = None
    finished: float | None = None
    next_attempt: float | None = None
    attempt_count: int = 0
    failed_count: int = 0
    progress: str = ""
    attempts: tuple[Attempt, ...] = ()
    conditions: tuple[Condition, ...] = ()


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`spec.retry`: at most `limit` further attempts, delayed by exponential backoff with full jitter."""

    limit: int = 3
    initial: float = 10.0
    factor: int = 2
    maximum: float = 360.0


class JobView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One BatchJob. `template` is the raw JSON of `spec.template`, empty once the job is terminal (never needed again)."""

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
    ttl: float | None = None


class RefusalKind(enum.StrEnum):
    """Why a pod could not be created, as far as it decides what to do next."""

    PERMANENT = "Permanent"  # the same pod will be refused again: the job fails with the server's words
    RETRYABLE = "Retryable"  # quota, missing service account, outage: try later, nothing is counted
    COLLISION = "Collision"  # somebody else's pod has the name: this attempt fails, the next has another name


class Refusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last refusal of an attempt's pod; `count` in a row. Kept in memory only: after a restart it is asked again."""

    attempt: int
    kind: RefusalKind
    reason: str
    message: str
    at: float
    count: int
