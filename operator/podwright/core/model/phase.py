"""The phases of a BatchJob and the only transitions between them.

The one table for everything: `core.job.status` refuses to build a status that breaks it, and the CRD's CEL rule on
`status` is generated from it, so that no other writer can break it either. Terminal phases have no way out.
"""

import enum
from collections.abc import Mapping
from typing import Final


class Phase(enum.StrEnum):
    """`status.phase`: a summary for people; machines should read the conditions."""

    PENDING = "Pending"
    RUNNING = "Running"
    RETRYING = "Retrying"
    SUSPENDED = "Suspended"
    STOPPING = "Stopping"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    DEAD_LETTERED = "DeadLettered"
    SKIPPED = "Skipped"

    @property
    def terminal(self) -> bool:
        """Return whether the job is over for good."""
        return self in TERMINAL


TERMINAL: Final = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.DEAD_LETTERED, Phase.SKIPPED})
# What ended without success although it ran or should have. A skipped job was not to run at all.
UNSUCCESSFUL: Final = frozenset({Phase.FAILED, Phase.CANCELLED, Phase.DEAD_LETTERED})

_RAN: Final = TERMINAL - {Phase.SKIPPED}

TRANSITIONS: Final[Mapping[Phase | None, frozenset[Phase]]] = {
    # A job that ends before its first status write goes straight from nothing to a terminal phase.
    None: frozenset(Phase),
    Phase.PENDING: frozenset({Phase.RUNNING, Phase.RETRYING, Phase.SUSPENDED, Phase.STOPPING}) | TERMINAL,
    Phase.RUNNING: frozenset({Phase.RETRYING, Phase.SUSPENDED, Phase.STOPPING}) | _RAN,
    Phase.RETRYING: frozenset({Phase.PENDING, Phase.RUNNING, Phase.SUSPENDED, Phase.STOPPING}) | _RAN,
    # What was stopped for a suspension may be resumed, or turn out to have finished first.
    Phase.STOPPING: frozenset({Phase.PENDING, Phase.RETRYING, Phase.SUSPENDED}) | _RAN,
    Phase.SUSPENDED: frozenset({Phase.PENDING, Phase.STOPPING}) | TERMINAL,
    Phase.SUCCEEDED: frozenset(),
    Phase.FAILED: frozenset(),
    Phase.CANCELLED: frozenset(),
    Phase.DEAD_LETTERED: frozenset(),
    Phase.SKIPPED: frozenset(),
}


class IllegalTransitionError(ValueError):
    """A policy asked for a transition that the table does not have; nothing is written."""

    def __init__(self, *, current: Phase | None, target: Phase) -> None:
        allowed = ", ".join(sorted(TRANSITIONS[current])) or "none: the phase is terminal"
        super().__init__(f"phase {current or 'none'} cannot become {target}; allowed: {allowed}")


def require_transition(*, current: Phase | None, target: Phase) -> None:
    """Raise `IllegalTransitionError` unless `target` equals `current` or the table allows the step."""
    if target is not current and target not in TRANSITIONS[current]:
        raise IllegalTransitionError(current=current, target=target)
