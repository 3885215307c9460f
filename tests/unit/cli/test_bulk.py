from __future__ import annotations

import pytest

from podwright.cli.bulk import confirm, paced, parse_rate
from podwright.cli.errors import CommandError


@pytest.mark.parametrize(("text", "gap"), [("10/s", 0.1), ("10", 0.1), ("30/m", 2.0), ("1/s", 1.0)])
def test_rates(text: str, gap: float) -> None:
    assert parse_rate(text) == pytest.approx(gap)


@pytest.mark.parametrize("text", ["", "0/s", "10/h", "fast", "-1/s", "1.5/s"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(CommandError, match="is not a rate"):
        parse_rate(text)


def test_what_was_slow_is_not_caught_up_with() -> None:
    time = [100.0]
    starts = []

    def sleep(seconds: float) -> None:
        time[0] += seconds

    for item in paced([0.0, 5.0, 0.0, 0.0], gap=1.0, clock=lambda: time[0], sleep=sleep):
        starts.append(time[0])
        time[0] += item  # how long the work on it takes
    assert starts == [100.0, 101.0, 106.0, 107.0]


def test_without_a_terminal_only_yes_is_a_yes() -> None:
    confirm("Sure?", yes=True)
    with pytest.raises(CommandError, match="no terminal"):
        confirm("Sure?", yes=False)
