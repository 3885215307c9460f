"""The conditions of a run: `Finished`, `Complete`, `Failed` for people and `kubectl wait`, and the kstatus three.

kstatus (cli-utils, used by Helm, Flux and Argo CD): `Reconciling` and `Stalled` are present only while true, `Ready` tells
success. Every condition carries the generation it speaks of.
"""

from podwright.core.model.job import Condition
from podwright.core.model.phase import Phase


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


def _true_conditions(phase: Phase) -> tuple[str, ...]:
    if phase is Phase.SUCCEEDED:
        return ("Finished", "Complete", "Ready")
    if phase is Phase.SKIPPED:
        return ("Finished", "Skipped")
    if phase.terminal:
        return ("Finished", "Failed", "Stalled")
    if phase is Phase.SUSPENDED:
        return ("Suspended", "Reconciling")
    return ("Reconciling",)
