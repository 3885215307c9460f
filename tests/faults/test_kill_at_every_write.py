"""F1: the operator is killed around every write that it makes; nothing is lost, and nothing runs twice."""

import pytest

from tests.faults.killing import Killing
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.world import World

_by_name = {scenario.name: scenario for scenario in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))
async def test_operator_killed_around_every_write_ends_as_if_it_was_not(world: World, scenario: Scenario) -> None:
    """F1, simulated."""
    assert await Killing(world, scenario).every_write() > 0
