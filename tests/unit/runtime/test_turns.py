"""The measure of the event loop's turns, on a loop that is held up in known ways."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from podwright.runtime.metrics import Metrics
from podwright.runtime.turns import Durations, LoopTurns

LAG, HELD = "podwright_loop_lag_seconds", "podwright_loop_held_seconds"


def compute(seconds: float) -> None:
    """Use the processor for so long, as a decision that takes too long does."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def measured(scenario: Coroutine[Any, Any, None]) -> Metrics:
    """Run a scenario and return what was measured."""
    turns = LoopTurns()
    with asyncio.Runner(loop_factory=turns.new_loop) as runner:
        runner.run(scenario)
    return Metrics(turns)


def longer(metrics: Metrics, name: str, than: float) -> int:
    """Return how many turns are counted as longer."""
    value = metrics.registry.get_sample_value
    return round((value(f"{name}_count") or 0) - (value(f"{name}_bucket", {"le": str(than)}) or 0))


def test_one_piece_that_holds_up_the_loop_is_told_from_many_that_do_not() -> None:
    """Altogether both compute for as long; a timer that samples rarely takes them for the same."""

    async def in_pieces() -> None:
        for _ in range(50):
            compute(0.004)
            await asyncio.sleep(0)

    async def in_one() -> None:
        compute(0.2)
        await asyncio.sleep(0)

    assert longer(measured(in_pieces()), HELD, 0.05) == 0
    assert longer(measured(in_one()), HELD, 0.1) == 1


def test_s14_a_turn_that_waits_is_long_but_not_of_our_making() -> None:
    async def blocked() -> None:
        time.sleep(0.2)  # noqa: ASYNC251 -- it is meant to
        await asyncio.sleep(0)

    metrics = measured(blocked())
    assert (longer(metrics, LAG, 0.1), longer(metrics, HELD, 0.05)) == (1, 0)


def test_a_loop_at_rest_has_no_turns() -> None:
    async def rest() -> None:
        await asyncio.sleep(0.3)

    metrics = measured(rest())
    assert (metrics.registry.get_sample_value(f"{LAG}_count") or 0) <= 8  # those of the beginning and of the end
    assert longer(metrics, LAG, 0.1) == 0


def test_a_loop_that_runs_in_another_thread_than_it_was_made_in() -> None:
    compute(0.3)  # counts for this thread, not for the loop's
    turns = LoopTurns()
    loop = turns.new_loop()

    async def short() -> None:
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(short()))
    thread.start()
    thread.join()
    loop.close()
    metrics = Metrics(turns)
    assert (metrics.registry.get_sample_value(f"{HELD}_count") or 0) >= 1
    assert 0.0 <= (metrics.registry.get_sample_value(f"{HELD}_sum") or 0) < 0.2


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [
        pytest.param(0.0, "0.005", id="none"),
        pytest.param(0.005, "0.005", id="a bound belongs to its bucket"),
        pytest.param(0.0051, "0.01", id="above a bound"),
        pytest.param(30.0, "30.0", id="the last bound"),
        pytest.param(31.0, "+Inf", id="above all"),
    ],
)
def test_durations_are_counted_by_bucket(seconds: float, bucket: str) -> None:
    durations = Durations()
    durations.add(seconds)
    family = durations.family("x_seconds", "x")
    counts = {sample.labels["le"]: sample.value for sample in family.samples if sample.name == "x_seconds_bucket"}
    assert next(bound for bound, count in counts.items() if count) == bucket
    (total,) = [sample.value for sample in family.samples if sample.name == "x_seconds_sum"]
    assert total == seconds
