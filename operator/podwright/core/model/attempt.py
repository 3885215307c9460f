"""An attempt as status records it, and the refusal of its pod, of which status says nothing.

Times are seconds since the Unix epoch.
"""

import enum

import msgspec


class Outcome(enum.StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"  # ended because the job was suspended or cancelled, or ran out of time: no failure of its own
    LOST = "Lost"  # its pod vanished before its end was seen


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


class RefusalKind(enum.StrEnum):
    """Why a pod could not be created, as far as it decides what to do next."""

    PERMANENT = "Permanent"  # the same pod will be refused again: the job fails with the server's words
    RETRYABLE = "Retryable"  # quota, missing service account, outage: try later, nothing is counted
    COLLISION = "Collision"  # somebody else's pod has the name: this attempt fails, the next has another name


class Refusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last refusal of an attempt's pod; `count` in a row, for the same reason since `since`.

    `cause` is what it has in common with refusals of other jobs (`core.attempt.refusal_cause`). Kept in memory only: after a
    restart the status says that there was one.
    """

    task_index: int = 0
    attempt: int
    kind: RefusalKind
    reason: str
    message: str
    at: float
    count: int
    since: float = 0.0
    cause: str = ""
