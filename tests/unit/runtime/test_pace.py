"""When large writes go beside small ones, in virtual time."""

import pytest

from podwright.runtime.pace import Pace

FULL = 262_144


def beside(
    pace: Pace, *, seconds: float, cost: float, size: int = FULL, creates: bool = False, small: bool = True
) -> int:
    """Return how many large writes of `cost` seconds go in that time, one after the other, while another namespace writes, or not."""
    now, end, sent = 1000.0, 1000.0 + seconds, 0
    pace.due("large", creates=True, now=0.0)
    while now < end:
        if small:
            pace.sent_small("small", now=now)
        if pace.due("large", creates=creates, now=now) <= now:
            pace.began(now=now)
            now += cost
            if small:
                pace.sent_small("small", now=now)
            pace.ended("large", size=size, creates=creates, seconds=cost, now=now)
            sent += 1
        else:
            now += 0.005
    return sent


@pytest.mark.parametrize(
    ("size", "creates", "small", "share"),
    [
        pytest.param(FULL, False, True, (0.08, 0.1), id="L4 status writes take a tenth"),
        pytest.param(FULL, True, True, (0.02, 0.03), id="L4 pods a fortieth, since four more writes follow"),
        pytest.param(2 * FULL, False, True, (0.08, 0.1), id="larger ones do, too"),
        pytest.param(FULL // 8, False, True, (0.4, 0.5), id="objects of 32 KiB take a half"),
        pytest.param(FULL, False, False, (0.9, 1.01), id="alone they take all"),
        pytest.param(FULL, True, False, (0.19, 0.21), id="alone pods leave time for the four writes that follow"),
    ],
)
def test_share_of_the_time(size: int, creates: bool, small: bool, share: tuple[float, float]) -> None:
    sent = beside(Pace(), seconds=60.0, cost=0.02, size=size, creates=creates, small=small)
    assert share[0] <= sent * 0.02 / 60.0 <= share[1]


def test_a_slow_answer_is_no_reason_to_wait_for_long() -> None:
    assert beside(Pace(), seconds=60.0, cost=1.0, creates=True) >= 19


def test_the_small_writes_of_a_namespace_do_not_hold_up_its_own_large_ones() -> None:
    pace = Pace()
    pace.due("one", creates=True, now=0.0)
    pace.sent_small("one", now=10.0)
    pace.began(now=10.0)
    pace.ended("one", size=FULL, creates=True, seconds=0.01, now=10.0)
    assert pace.due("one", creates=True, now=10.0) == pytest.approx(10.04)
    assert pace.due("one", creates=True, now=10.05) == 10.05


def test_l4_only_the_namespace_that_wrote_a_large_object_pauses() -> None:
    pace = Pace()
    pace.due("one", creates=True, now=0.0)
    for step in range(10):
        pace.sent_small(("three", "four")[step % 2], now=10.0 + step * 0.01)
    pace.began(now=10.1)
    assert all(pace.due(namespace, creates=True, now=10.1) > 10.1 for namespace in ("one", "two"))
    pace.ended("one", size=FULL, creates=True, seconds=0.01, now=10.1)
    assert pace.due("two", creates=True, now=10.1) <= 10.1
    assert pace.due("one", creates=True, now=10.1) == pytest.approx(10.5)
    assert pace.due("one", creates=False, now=10.1) <= 10.1, "what ends work does not wait for what starts more"


def test_l4_a_small_part_of_the_size_pauses_for_a_small_part_of_the_time() -> None:
    pace = Pace()
    pace.due("one", creates=True, now=0.0)
    pace.sent_small("two", now=10.0)
    pace.began(now=10.0)
    pace.ended("one", size=FULL // 16, creates=True, seconds=5.0, now=10.0)
    assert pace.due("one", creates=True, now=10.0) == pytest.approx(10.125)


def test_a_new_leader_waits_a_moment_before_the_first() -> None:
    """It doesn't know yet who else is going to write."""
    pace = Pace()
    assert pace.due("large", creates=True, now=100.0) == pytest.approx(100.5)
    assert pace.due("large", creates=True, now=100.5) == 100.5


def test_what_was_not_sent_costs_nothing() -> None:
    pace = Pace()
    pace.due("large", creates=True, now=0.0)
    pace.sent_small("small", now=10.0)
    pace.began(now=10.0)
    pace.ended("large", size=FULL, creates=True, seconds=0.0, now=10.0)
    assert pace.due("large", creates=True, now=10.0) <= 10.0


def test_one_that_hangs_holds_up_the_others_for_two_seconds() -> None:
    pace = Pace()
    pace.due("large", creates=True, now=0.0)
    pace.began(now=10.0)
    for now in (10.5, 11.9):
        pace.sent_small("small", now=now)
        assert pace.due("large", creates=True, now=now) > now
    pace.sent_small("small", now=12.0)
    assert pace.due("large", creates=True, now=12.0) <= 12.0
