"""F24: expressions and messages that are meant to keep the operator busy, in jobs beside which others go on."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulation.world import World, started_world, until

_LONGEST_TURN = 1.0
"""Seconds for which the loop may be held up. The real bound is some milliseconds; machines that run tests are slow."""
_BOMBS = {
    "nested repetitions": "((a{100}){100}){100}",
    "huge repetition": "(.{1000}){1000}",
    "optional nests": "(((((a?){50}){50}){50}){50}){50}",
    "alternatives": "|".join(f"word{number}[a-z]*" for number in range(20_000)),
    "classes": r"(\pL|\pN|[^\x00-\x{10FFFF}]){500}",
    "unbalanced": "(" * 100_000,
    "back reference": r"(x+)\1",
    "look-behind": "(?<=x)y",
}
_HARMLESS = {
    "backtracking": "(x+x+)+y",
    "nested stars": "((x*)*)*y",
    "any then nothing": ".*.*.*.*.*.*.*=.*z",
    "counted": "(x?){90}(x){90}y",
    "deep groups": "(" * 500 + "a" + ")" * 500,
    "zero": "\x00|\x1b\\[31m",
}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A server that takes every length, as one with an older or later definition might."""
    async with started_world() as running:
        yield running


async def test_hostile_expressions_end_their_own_jobs_and_hold_up_no_other(world: World) -> None:
    turns = asyncio.create_task(_turns())
    message = "x" * 4096
    for number, pattern in enumerate((*_BOMBS.values(), *_HARMLESS.values())):
        rule = {"action": "Fail", "onMessage": pattern}
        world.submit(
            f"hostile-{number}",
            script={"exit-code": "1", "termination-message": message},
            failurePolicy={"rules": [rule] * (20 if number < len(_BOMBS) else 1)},
            retry={"limit": 1, "initial": "10ms", "max": "10ms"},
        )
        world.submit(f"healthy-{number}")
    number_of = len(_BOMBS) + len(_HARMLESS)
    await until(lambda: all(world.is_over(f"healthy-{number}") for number in range(number_of)), seconds=20)
    await until(lambda: all(world.is_over(f"hostile-{number}") for number in range(number_of)), seconds=20)
    turns.cancel()
    ends: dict[str, Any] = {
        name: (world.status(f"hostile-{number}")["phase"], world.status(f"hostile-{number}")["reason"])
        for number, name in enumerate((*_BOMBS, *_HARMLESS))
    }
    assert {name: ends[name] for name in _BOMBS} == dict.fromkeys(_BOMBS, ("Failed", "InvalidSpec"))
    assert all(ends[name] != ("Failed", "InvalidSpec") for name in _HARMLESS), ends
    assert max(await turns) < _LONGEST_TURN


async def _turns() -> list[float]:
    """Return, once cancelled, how long each turn of the loop took."""
    taken: list[float] = []
    try:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            taken.append(time.monotonic() - before)
    except asyncio.CancelledError:
        return taken
