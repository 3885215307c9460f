"""From a `JobStatus` to the `status` of a BatchJob. Pure; used by `encode`, and the inverse of `status_decoding`."""

from typing import Any, Final

import msgspec

from podwright.core.model.array import ArrayRecord, RetryGroup
from podwright.core.model.attempt import Attempt
from podwright.core.model.job import Condition, JobStatus, StopRecord
from podwright.core.model.phase import Phase
from podwright.core.values.duration import format_duration
from podwright.kube.codecs.times import format_time

MESSAGE_LIMIT: Final = 1024
"""What the schema allows a message of an attempt or of the job."""


def status_fields(status: JobStatus) -> dict[str, Any]:
    """Return `status` as JSON fields, None for what is unset. Decoding gives the same status, times in milliseconds."""
    return {
        "observedGeneration": status.observed_generation,
        # What the schema shows of a job that was never decided on; see `status_decoding`.
        "phase": Phase.PENDING if status.phase is None and status.observed_generation < 0 else status.phase,
        "reason": status.reason or None,
        "message": status.message or None,
        "startTime": _time(status.started),
        "finishTime": _time(status.finished),
        "nextAttemptTime": _time(status.next_attempt),
        "stop": None if status.stop is None else _stop(status.stop),
        "attemptCount": status.attempt_count,
        "failedCount": status.failed_count,
        "progress": status.progress or None,
        "attempts": [_attempt(attempt) for attempt in status.attempts],
        "conditions": [_condition(condition) for condition in status.conditions],
        **_without_nulls(_kept_once_set(status)),
    }


def _kept_once_set(status: JobStatus) -> dict[str, Any]:
    """Return the fields that are never unset again, so that a patch need not name them while they are empty."""
    return {
        "platformFailedCount": status.platform_failed_count or None,
        "timeoutCount": status.timeout_count or None,
        "outOfMemoryCount": status.out_of_memory_count or None,
        "lostNodeCount": status.lost_node_count or None,
        "array": None if status.array is None else _array(status.array),
        "outputs": msgspec.Raw(status.outputs.encode()) if status.outputs else None,
        "artifacts": [{"name": name, "url": url} for name, url in status.artifacts] or None,
        "duplicateOf": status.duplicate_of or None,
        "duration": _duration(status),
    }


def _array(record: ArrayRecord) -> dict[str, Any]:
    return {
        "succeeded": len(record.succeeded),
        "failed": len(record.failed),
        "running": len(record.running) + record.running_unlisted,
        "skipped": len(record.skipped) or None,
        "succeededIndexes": str(record.succeeded) or None,
        "failedIndexes": str(record.failed) or None,
        "skippedIndexes": str(record.skipped) or None,
        "runningIndexes": str(record.running) or None,
        "startedIndexes": str(record.started) or None,
        "retries": [_retries(group) for group in record.retries] or None,
        "taskFailures": [_retries(group) for group in record.task_failures] or None,
        "givenUp": record.given_up or None,
        "notRetried": record.not_retried or None,
        "neverStarted": record.never_started or None,
        "lostNodes": list(record.lost_nodes) or None,
        "nodeFailures": [
            _without_nulls({"node": one.node, "reason": one.reason, "exitCode": one.exit_code})
            for one in record.node_failures
        ]
        or None,
        "ending": [
            _without_nulls({"indexes": str(one.indexes), "reason": one.reason, "message": one.message or None})
            for one in record.ending
        ]
        or None,
    }


def _stop(stop: StopRecord) -> dict[str, Any]:
    return _without_nulls({"reason": stop.reason, "message": stop.message or None, "time": _time(stop.time)})


def _retries(group: RetryGroup) -> dict[str, Any]:
    return _without_nulls(
        {
            "indexes": str(group.indexes),
            "attempts": group.attempts,
            "failed": group.failed or None,
            "platform": group.platform or None,
            "timeouts": group.timeouts or None,
            "outOfMemory": group.out_of_memory or None,
            "lostNodes": group.lost_nodes or None,
            "nextTime": _time(group.due),
        }
    )


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is unset: a merge patch replaces lists as they are, and would store a null inside one."""
    return {name: value for name, value in fields.items() if value is not None}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    fields = {
        "index": attempt.index,
        "number": attempt.number,
        "podName": attempt.pod_name,
        "podUID": attempt.pod_uid or None,
        "node": None if _is_stand_in(attempt) else attempt.node or None,
        "startTime": _time(attempt.started),
        "endTime": _time(attempt.ended),
        "outcome": attempt.outcome,
        "budget": attempt.budget,
        "exitCode": attempt.exit_code,
        "reason": attempt.reason or None,
        # Reports of packs are longer than the schema lets a message be, and nobody reads them here.
        "message": attempt.message[:MESSAGE_LIMIT] or None,
    }
    return _without_nulls(fields)


def _is_stand_in(attempt: Attempt) -> bool:
    """Return whether the node is made up: of a pod that nobody has seen it is only known that it may have had one."""
    return attempt.node == "unknown" and attempt.started is None and attempt.exit_code is None


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "type": condition.type,
        "status": "True" if condition.status else "False",
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": format_time(condition.since),
        "observedGeneration": condition.observed_generation,
    }


def _duration(status: JobStatus) -> str | None:
    """Return how long a job took, for people: kubectl can't subtract times."""
    if status.finished is None or status.started is None:
        return None
    return format_duration(status.finished - status.started)


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else format_time(seconds)
