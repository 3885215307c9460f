"""What the demo shows of a job, and what each of its examples promises. Plain data, no IO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from podwright.core.model.attempt import Outcome
from podwright.core.model.phase import Phase


@dataclass(frozen=True, kw_only=True)
class Job:
    """A BatchJob as one line of a table."""

    name: str
    created: float
    """Unix seconds."""
    phase: str = ""
    progress: str = ""
    reason: str = ""
    message: str = ""
    finished: float | None = None
    outcomes: tuple[str, ...] = ()
    """One for each attempt; empty while it goes on."""
    exit_codes: tuple[int | None, ...] = ()

    @classmethod
    def from_object(cls, item: Mapping[str, Any]) -> Job:
        """Read what the API server tells of the job."""
        status: Mapping[str, Any] = item.get("status", {})
        attempts: list[Mapping[str, Any]] = status.get("attempts", [])
        finished = status.get("finishTime")
        return cls(
            name=item["metadata"]["name"],
            created=_seconds(item["metadata"]["creationTimestamp"]),
            phase=status.get("phase", ""),
            progress=status.get("progress", ""),
            reason=status.get("reason", ""),
            message=status.get("message", ""),
            finished=None if finished is None else _seconds(finished),
            outcomes=tuple(attempt.get("outcome", "") for attempt in attempts),
            exit_codes=tuple(attempt.get("exitCode") for attempt in attempts),
        )

    @property
    def over(self) -> bool:
        """Whether it has finished."""
        return self.finished is not None

    def seconds(self, *, now: float) -> float:
        """Return how long it took, or takes until now."""
        return max(0.0, (now if self.finished is None else self.finished) - self.created)


@dataclass(frozen=True, kw_only=True)
class Promise:
    """How an example ends."""

    story: str
    """For people, continuing the job's name."""
    phase: Phase
    outcomes: tuple[Outcome, ...]

    def broken_by(self, job: Job | None) -> str:
        """Return what is different from what was promised, as a sentence; empty if nothing is."""
        expected = f"{self.phase} after attempts {', '.join(self.outcomes)}"
        if job is None:
            return f"should be {expected}, but there is no such job."
        if job.phase == self.phase and job.outcomes == self.outcomes:
            return ""
        found = f"{job.phase or 'Pending'} after attempts {', '.join(job.outcomes) or 'none'}"
        why = f" ({job.reason}: {job.message})" if job.reason else ""
        return f"should be {expected}, but is {found}{why}."


CANCELLED: Final = "cancelled"
"""The example that has to be cancelled from outside."""

PROMISES: Final[Mapping[str, Promise]] = {
    "success": Promise(story="succeeds", phase=Phase.SUCCEEDED, outcomes=(Outcome.SUCCEEDED,)),
    "retried": Promise(
        story="fails twice, then succeeds",
        phase=Phase.SUCCEEDED,
        outcomes=(Outcome.FAILED, Outcome.FAILED, Outcome.SUCCEEDED),
    ),
    "timeout": Promise(
        story="takes too long, twice, and becomes a dead letter",
        phase=Phase.DEAD_LETTERED,
        outcomes=(Outcome.FAILED, Outcome.FAILED),
    ),
    CANCELLED: Promise(story="is cancelled while it runs", phase=Phase.CANCELLED, outcomes=(Outcome.STOPPED,)),
}
"""By the name of the example's file, which is the name of its job too."""


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
