"""The conditions of a run: `Finished`, `Complete`, `Failed` for people and `kubectl wait`, and the kstatus three.

kstatus (cli-utils, used by Helm, Flux and Argo CD): `Reconciling` and `Stalled` are present only while true, `Ready` tells
success. Every condition carries the generation it speaks of.
"""

import enum
from typing import Final

from podwright.core.model.job import Condition
from podwright.core.model.phase import Phase


class ConditionType(enum.StrEnum):
    """The types of a run's conditions."""

    FINISHED = "Finished"
    COMPLETE = "Complete"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    SUSPENDED = "Suspended"
    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


_UNDER_WAY: Final = (ConditionType.RECONCILING,)
_SUSPENDED: Final = (ConditionType.SUSPENDED, ConditionType.RECONCILING)
_UNSUCCESSFUL: Final = (ConditionType.FINISHED, ConditionType.FAILED, ConditionType.STALLED)
_AT_THE_END: Final = {
    Phase.SUCCEEDED: (ConditionType.FINISHED, ConditionType.COMPLETE, ConditionType.READY),
    Phase.SKIPPED: (ConditionType.FINISHED, ConditionType.SKIPPED),
}


def run_conditions(
    *, previous: tuple[Condition, ...], phase: Phase, reason: str, message: str, generation: int, now: float
) -> tuple[Condition, ...]:
    """Derive all conditions from the phase. A condition keeps its transition time for as long as its status stays."""
    since = {condition.type: condition.since for condition in previous if condition.status}

    def true(kind: str) -> Condition:
        return Condition(
            type=kind,
            status=True,
            reason=reason,
            message=message,
            since=since.get(kind, now),
            observed_generation=generation,
        )

    return tuple(true(kind) for kind in _true_conditions(phase))


def _true_conditions(phase: Phase) -> tuple[ConditionType, ...]:
    if phase.terminal:
        return _AT_THE_END.get(phase, _UNSUCCESSFUL)
    return _SUSPENDED if phase is Phase.SUSPENDED else _UNDER_WAY
