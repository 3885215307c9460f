"""Which Kubernetes Events a change of a run's status is worth: what `kubectl describe` shows beside the status.

Asked by the runtime once a status write was accepted, with the status before and after it; pure, so that the same change always
makes the same events. A run that simply succeeds makes none unless everything is wanted: an event is an API write, and the
status already says so.
"""

import enum
from typing import Final

import msgspec

from podwright.core.constants.reasons import Reason
from podwright.core.model.attempt import Attempt, Outcome
from podwright.core.model.job import JobStatus
from podwright.core.model.phase import Phase
from podwright.core.values.excerpt import last_line

MESSAGE_LIMIT: Final = 1024
"""Characters that the API server accepts in an Event's message (`events.k8s.io` calls it note)."""
_WORDS_LIMIT: Final = 200
_STOPPED_BY_US: Final = frozenset({Phase.STOPPING, Phase.SUSPENDED, Phase.CANCELLED})


class EventLevel(enum.StrEnum):
    """Which events the operator records: none, those of runs that met trouble or were stopped, or all."""

    OFF = "Off"
    PROBLEMS = "Problems"
    ALL = "All"


class EventReason(enum.StrEnum):
    """Reasons of events that are no phase and no reason of a status."""

    STARTED = "Started"
    RETRYING = "Retrying"
    RESUMED = "Resumed"


class RunEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One fact about a run.

    `fact` tells the same fact from others of the same run: recorded twice, it is one event.
    """

    warning: bool
    reason: str
    message: str
    fact: str


def events_between(*, before: JobStatus, after: JobStatus, level: EventLevel) -> tuple[RunEvent, ...]:
    """Return the events of a status that follows another, in the order in which they happened."""
    if level is EventLevel.OFF:
        return ()
    event = _phase_event(before=before, after=after, everything=level is EventLevel.ALL)
    events = (_retry(before=before, after=after), event)
    return tuple(event for event in events if event is not None)


def pod_change_refused(pod: str, message: str) -> RunEvent:
    """Return the event of a pod whose changes the API server refuses: it can't be let go of, or deleted."""
    return _event(warning=True, reason=Reason.POD_CHANGE_REFUSED, message=message, fact=f"change-refused-{pod}")


def _retry(*, before: JobStatus, after: JobStatus) -> RunEvent | None:
    """Return the event of an attempt that failed and is followed by another."""
    if _failures(after) <= _failures(before) or after.is_over or after.phase in _STOPPED_BY_US:
        return None
    failed = next((each for each in reversed(after.attempts) if _is_retried(each, before=before, after=after)), None)
    if failed is None:
        return None
    what = f"attempt {failed.number}" if failed.index is None else f"task {failed.index}, attempt {failed.number}"
    code = "" if failed.exit_code is None else f", exit code {failed.exit_code}"
    # The last line is where programs say what went wrong; status has the whole message.
    words = last_line(failed.message, limit=_WORDS_LIMIT)
    detail = f": {words}" if words else ""
    return _event(
        warning=True,
        reason=EventReason.RETRYING,
        message=f"{what} failed ({failed.reason}{code}){detail}",
        fact=f"retrying-{_failures(after)}",
    )


def _is_retried(attempt: Attempt, *, before: JobStatus, after: JobStatus) -> bool:
    """Return whether an attempt failed and has another after it. Of an array, others' attempts stay listed while a task fails for good."""
    if attempt.outcome not in _FAILED:
        return False
    if attempt.index is None or after.array is None:
        return True
    known = any(
        each.index == attempt.index and each.number == attempt.number and each.outcome is attempt.outcome
        for each in before.attempts
    )
    return not known and any(attempt.index in group.indexes for group in after.array.retries)


def _phase_event(*, before: JobStatus, after: JobStatus, everything: bool) -> RunEvent | None:
    entered = after.phase is not before.phase
    match after.phase:
        case Phase.FAILED | Phase.DEAD_LETTERED if entered:
            return _of_status(after, warning=True, reason=str(after.phase))
        case Phase.SUCCEEDED if entered and (everything or _met_trouble(before, after)):
            return _of_status(after, reason=str(after.phase))
        case Phase.STOPPING | Phase.SUSPENDED | Phase.CANCELLED | Phase.SKIPPED if entered:
            return _of_status(after, reason=str(after.phase))
        case Phase.RUNNING if entered and everything:
            return _of_status(after, reason=EventReason.STARTED)
        case Phase.PENDING if before.phase in _STOPPED_BY_US:
            return _of_status(after, reason=EventReason.RESUMED)
        case Phase.PENDING | Phase.RETRYING if after.reason in TROUBLES and after.reason != before.reason:
            return _of_status(after, warning=True, reason=after.reason)
        case _:
            return None


def _of_status(status: JobStatus, *, reason: str, warning: bool = False) -> RunEvent:
    return _event(
        warning=warning,
        reason=reason,
        message=status.message,
        # A run may be suspended, or refused, several times; between two of them something else was recorded.
        fact=f"{reason}-{status.attempt_count}-{_failures(status)}-{status.observed_generation}",
    )


def _event(*, warning: bool, reason: str, message: str, fact: str) -> RunEvent:
    return RunEvent(warning=warning, reason=reason, message=message[:MESSAGE_LIMIT], fact=fact)


def _failures(status: JobStatus) -> int:
    return status.failed_count + status.platform_failed_count + status.timeout_count


def _met_trouble(before: JobStatus, after: JobStatus) -> bool:
    return bool(_failures(after)) or before.phase in _STOPPED_BY_US or before.reason in TROUBLES


_FAILED: Final = frozenset({Outcome.FAILED, Outcome.LOST})
TROUBLES: Final = frozenset(
    {
        Reason.ADMISSION_WEBHOOK_FAILED,
        Reason.API_SERVER_NOT_READY,
        Reason.DEPENDENCY_CYCLE,
        Reason.INVALID_IMAGE_NAME,
        Reason.IMAGE_PULL_BACK_OFF,
        Reason.KEY_NOT_CLAIMABLE,
        Reason.NAMESPACE_TERMINATING,
        Reason.OPERATOR_FORBIDDEN,
        Reason.POD_CREATION_FAILED,
        Reason.POD_REJECTED,
        Reason.PRIORITY_CLASS_MISSING,
        Reason.QUOTA_EXCEEDED,
        Reason.QUOTA_UNSATISFIABLE,
        Reason.RUNTIME_CLASS_MISSING,
        Reason.SERVICE_ACCOUNT_MISSING,
        Reason.UNSCHEDULABLE,
    }
)
"""Reasons to wait that somebody may have to do something about."""
