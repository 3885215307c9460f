"""The phase table: every pair of phases, and what a terminal phase means."""

import itertools

import pytest

from podwright.core.model.phase import TERMINAL, TRANSITIONS, IllegalTransitionError, Phase, require_transition

LEGAL = {
    "Pending": "Running Retrying Suspended Stopping Succeeded Failed Cancelled DeadLettered Skipped",
    "Running": "Retrying Suspended Stopping Succeeded Failed Cancelled DeadLettered",
    "Retrying": "Pending Running Suspended Stopping Succeeded Failed Cancelled DeadLettered",
    "Stopping": "Pending Retrying Suspended Succeeded Failed Cancelled DeadLettered",
    "Suspended": "Pending Stopping Succeeded Failed Cancelled DeadLettered Skipped",
    "Succeeded": "",
    "Failed": "",
    "Cancelled": "",
    "DeadLettered": "",
    "Skipped": "",
}


@pytest.mark.parametrize(("current", "target"), list(itertools.product(Phase, Phase)))
def test_every_pair(current: Phase, target: Phase) -> None:
    legal = target is current or target.value in LEGAL[current.value].split()
    if legal:
        require_transition(current=current, target=target)
    else:
        with pytest.raises(IllegalTransitionError, match=f"phase {current} cannot become {target}; allowed: "):
            require_transition(current=current, target=target)


@pytest.mark.parametrize("target", Phase)
def test_a_job_may_start_in_any_phase(target: Phase) -> None:
    require_transition(current=None, target=target)


def test_the_table_knows_every_phase() -> None:
    assert set(TRANSITIONS) == {None, *Phase}


@pytest.mark.parametrize("phase", Phase)
def test_terminal_phases_have_no_way_out(phase: Phase) -> None:
    assert phase.terminal is (phase in TERMINAL) is (not TRANSITIONS[phase])


def test_every_phase_can_reach_an_end() -> None:
    for phase in set(Phase) - TERMINAL:
        assert TRANSITIONS[phase] >= TERMINAL - {Phase.SKIPPED}
