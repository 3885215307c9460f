"""The status of a BatchJob as the API server writes it, and its view. Pure; the inverse of `status_encoding`.

Used by `job_decoding`. Whatever is not understood is an error, never a guess.
"""

import datetime
from sys import intern
from typing import Annotated, Literal

import msgspec

from podwright.core.model.array import ArrayRecord, EndingGroup, FailureOnNode, RetryGroup
from podwright.core.model.attempt import Attempt, Budget, Outcome
from podwright.core.model.job import Condition, JobStatus, StopRecord
from podwright.core.model.phase import Phase
from podwright.core.values.index_set import IndexSet
from podwright.kube.codecs.times import unix_seconds

Time = datetime.datetime
Count = Annotated[int, msgspec.Meta(ge=0)]


class AttemptStatus(msgspec.Struct, gc=False, kw_only=True, rename="camel"):
    """`status.attempts[]`."""

    index: Count | None = None
    number: Count
    pod_name: str
    pod_uid: str = msgspec.field(name="podUID", default="")
    node: str = ""
    start_time: Time | None = None
    end_time: Time | None = None
    outcome: Outcome | None = None
    budget: Budget | None = None
    exit_code: int | None = None
    reason: str = ""
    message: str = ""


class ConditionStatus(msgspec.Struct, gc=False, rename="camel"):
    """`status.conditions[]`."""

    type: str
    status: Literal["True", "False"]
    last_transition_time: Time
    reason: str = ""
    message: str = ""
    observed_generation: int = 0


class TaskRetries(msgspec.Struct, gc=False, rename="camel"):
    """`status.array.retries[]` and `.taskFailures[]`."""

    indexes: str
    attempts: Count
    failed: Count = 0
    platform: Count = 0
    timeouts: Count = 0
    out_of_memory: Count = 0
    lost_nodes: Count = 0
    next_time: Time | None = None


class EndingStatus(msgspec.Struct, gc=False, rename="camel"):
    """`status.array.ending[]`."""

    indexes: str
    reason: str
    message: str = ""


class StopStatus(msgspec.Struct, gc=False, rename="camel"):
    """`status.stop`."""

    reason: str
    time: Time
    message: str = ""


class FailureOnNodeStatus(msgspec.Struct, gc=False, rename="camel"):
    """`status.array.nodeFailures[]`."""

    node: str
    reason: str = ""
    exit_code: int | None = None


class ArrayStatus(msgspec.Struct, gc=False, rename="camel"):
    """`status.array`; the counts follow from the sets, but that of running tasks where they are not listed."""

    running: Count = 0
    succeeded_indexes: str = ""
    failed_indexes: str = ""
    skipped_indexes: str = ""
    running_indexes: str = ""
    started_indexes: str = ""
    retries: list[TaskRetries] | None = None
    task_failures: list[TaskRetries] | None = None
    given_up: Count = 0
    not_retried: Count = 0
    never_started: bool = False
    lost_nodes: list[str] | None = None
    node_failures: list[FailureOnNodeStatus] | None = None
    ending: list[EndingStatus] | None = None


class Artifact(msgspec.Struct, gc=False):
    """`status.artifacts[]`."""

    name: str
    url: str


class BatchJobStatus(msgspec.Struct, gc=False, rename="camel"):
    """`status` of a BatchJob."""

    observed_generation: int = -1
    phase: Phase | None = None
    reason: str = ""
    message: str = ""
    start_time: Time | None = None
    finish_time: Time | None = None
    next_attempt_time: Time | None = None
    stop: StopStatus | None = None
    attempt_count: Count = 0
    failed_count: Count = 0
    platform_failed_count: Count = 0
    timeout_count: Count = 0
    out_of_memory_count: Count = 0
    lost_node_count: Count = 0
    progress: str = ""
    attempts: list[AttemptStatus] | None = None
    conditions: list[ConditionStatus] | None = None
    array: ArrayStatus | None = None
    outputs: msgspec.Raw = msgspec.Raw(b"null")  # in a union with None no object would be accepted
    artifacts: list[Artifact] | None = None
    duplicate_of: str = ""


def status_view(status: BatchJobStatus) -> JobStatus:
    """Return the view of a status."""
    message = status.message
    # The schema's default, for people: nobody has decided on this job yet.
    unseen = status.observed_generation < 0 and status.phase is Phase.PENDING
    return JobStatus(
        observed_generation=status.observed_generation,
        phase=None if unseen else status.phase,
        reason=intern(status.reason),
        message=message,
        started=time_view(status.start_time),
        finished=time_view(status.finish_time),
        next_attempt=time_view(status.next_attempt_time),
        stop=None if status.stop is None else _stop(status.stop),
        attempt_count=status.attempt_count,
        failed_count=status.failed_count,
        platform_failed_count=status.platform_failed_count,
        timeout_count=status.timeout_count,
        out_of_memory_count=status.out_of_memory_count,
        lost_node_count=status.lost_node_count,
        progress=intern(status.progress),
        attempts=tuple([_attempt(attempt) for attempt in status.attempts or ()]),
        conditions=tuple([_condition(condition, message) for condition in status.conditions or ()]),
        array=None if status.array is None else _array(status.array),
        outputs="" if bytes(status.outputs) == b"null" else bytes(status.outputs).decode(),
        artifacts=tuple([(artifact.name, artifact.url) for artifact in status.artifacts or ()]),
        duplicate_of=status.duplicate_of,
    )


def _array(array: ArrayStatus) -> ArrayRecord:
    return ArrayRecord(
        succeeded=IndexSet.parse(array.succeeded_indexes),
        failed=IndexSet.parse(array.failed_indexes),
        skipped=IndexSet.parse(array.skipped_indexes),
        running=IndexSet.parse(array.running_indexes),
        running_unlisted=0 if array.running_indexes else array.running,
        started=IndexSet.parse(array.started_indexes),
        retries=tuple([_retries(group) for group in array.retries or ()]),
        task_failures=tuple([_retries(group) for group in array.task_failures or ()]),
        given_up=array.given_up,
        not_retried=array.not_retried,
        never_started=array.never_started,
        lost_nodes=tuple([intern(node) for node in array.lost_nodes or ()]),
        node_failures=tuple(
            [
                FailureOnNode(node=intern(one.node), reason=intern(one.reason), exit_code=one.exit_code)
                for one in array.node_failures or ()
            ]
        ),
        ending=tuple(
            [
                EndingGroup(indexes=IndexSet.parse(one.indexes), reason=intern(one.reason), message=one.message)
                for one in array.ending or ()
            ]
        ),
    )


def _stop(stop: StopStatus) -> StopRecord:
    return StopRecord(reason=intern(stop.reason), message=stop.message, time=unix_seconds(stop.time))


def _retries(group: TaskRetries) -> RetryGroup:
    return RetryGroup(
        indexes=IndexSet.parse(group.indexes),
        attempts=group.attempts,
        failed=group.failed,
        platform=group.platform,
        timeouts=group.timeouts,
        out_of_memory=group.out_of_memory,
        lost_nodes=group.lost_nodes,
        due=time_view(group.next_time),
    )


def _attempt(attempt: AttemptStatus) -> Attempt:
    return Attempt(
        index=attempt.index,
        number=attempt.number,
        pod_name=attempt.pod_name,
        pod_uid=attempt.pod_uid,
        node=intern(attempt.node),
        started=time_view(attempt.start_time),
        ended=time_view(attempt.end_time),
        outcome=attempt.outcome,
        budget=attempt.budget,
        exit_code=attempt.exit_code,
        reason=intern(attempt.reason),
        message=attempt.message,
    )


def _condition(condition: ConditionStatus, message: str) -> Condition:
    return Condition(
        type=intern(condition.type),
        status=condition.status == "True",
        reason=intern(condition.reason),
        # Conditions mostly repeat the status' message; one copy of it is enough.
        message=message if condition.message == message else condition.message,
        since=unix_seconds(condition.last_transition_time),
        observed_generation=condition.observed_generation,
    )


def time_view(time: Time | None) -> float | None:
    """Return Unix seconds, None for a time that is not set."""
    return None if time is None else unix_seconds(time)
