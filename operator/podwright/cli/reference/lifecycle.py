"""The phases of a job and their transitions, drawn and listed from the table that the operator and the API server obey."""

from podwright.cli.reference.sections import table
from podwright.core.model.phase import TERMINAL, TRANSITIONS, Phase

_ACTIVE = tuple(phase for phase in Phase if phase not in TERMINAL)


def diagram(*, first: Phase = Phase.PENDING) -> str:
    """A state diagram in Mermaid. Arrows that all phases share are drawn once, from the box around them."""
    shared = frozenset.intersection(*(TRANSITIONS[phase] for phase in _ACTIVE))
    lines = ["stateDiagram-v2", f"    [*] --> {first}", "    state active {"]
    for phase in _ACTIVE:
        lines += [f"        {phase} --> {target}" for target in Phase if target in TRANSITIONS[phase] - shared]
    lines += ["    }", *(f"    active --> {target}" for target in Phase if target in shared)]
    lines += [f"    {target} --> [*]" for target in Phase if target in TERMINAL]
    return "\n".join(["```mermaid", *lines, "```"])


def transitions() -> str:
    """All transitions, by the phase that they start from."""
    rows = []
    for phase, targets in TRANSITIONS.items():
        named = ", ".join(target for target in Phase if target in targets) or "nothing: it is final"
        rows.append(("no phase yet" if phase is None else str(phase), "any" if targets == frozenset(Phase) else named))
    return table(("From", "To"), rows)
