"""The concurrency limit and the backoff."""

from podwright.runtime.backoff import Backoff
from podwright.runtime.flow import AdaptiveLimit, LatencyGauge, NamespaceLimit


def test_the_limit_grows_by_one_per_round_and_stops_at_the_top() -> None:
    limit = AdaptiveLimit(start=4, lowest=2, highest=6)
    for _ in range(5):
        limit.succeeded()
    assert limit.current == 5
    for _ in range(100):
        limit.succeeded()
    assert limit.current == 6


def test_overload_halves_the_limit_once_a_second_down_to_the_lowest() -> None:
    limit = AdaptiveLimit(start=16, lowest=3, highest=64)
    limit.overloaded(now=10.0)
    limit.overloaded(now=10.5)
    assert limit.current == 8
    for second in range(11, 20):
        limit.overloaded(now=float(second))
    assert limit.current == 3


def test_writes_that_take_long_halve_the_limit_down_to_a_few() -> None:
    limit = AdaptiveLimit(start=64)
    limit.strained(now=10.0)
    limit.strained(now=10.5)
    assert limit.current == 32
    for second in range(11, 20):
        limit.strained(now=float(second))
    assert limit.current == 8
    limit.overloaded(now=30.0)
    limit.strained(now=40.0)
    assert limit.current == 4


def test_l4_a_namespace_of_giants_has_few_places_until_it_has_sent_many_small_requests() -> None:
    limit = NamespaceLimit()
    for _ in range(30):
        limit.sent(4_000)
        limit.succeeded()
    assert limit.places(of=64) == 38
    limit.sent(50_000)
    assert limit.places(of=64) == 10
    limit.sent(700_000)
    assert limit.places(of=64) == 1
    for _ in range(100):
        limit.succeeded()
    assert limit.places(of=64) == 56


def test_only_a_server_that_could_be_faster_takes_too_long() -> None:
    slow, strained = LatencyGauge(), LatencyGauge()
    strained.answered(0.01, admitted=True)
    for _ in range(100):
        slow.answered(1.0, admitted=False)
        strained.answered(1.0, admitted=False)
    assert not slow.is_too_long()
    assert strained.is_too_long()
    for _ in range(20):
        strained.answered(0.1, admitted=False)
    assert not strained.is_too_long()


def test_backoff_grows_is_bounded_and_is_forgotten_by_success() -> None:
    backoff = Backoff[str]()
    waits = [backoff.failed("a", now=10.0 * turn) - 10.0 * turn for turn in range(30)]
    assert 0.02 <= waits[0] <= 0.04
    assert all(3.9 <= wait <= 8.1 for wait in waits[16:])
    assert backoff.until("a") == waits[-1] + 290.0
    assert backoff.failed("b", now=100.0, at_least=60.0) == 160.0
    backoff.succeeded("a")
    assert (backoff.until("a"), len(backoff)) == (0.0, 1)


def test_many_failures_at_once_count_as_one() -> None:
    backoff = Backoff[str]()
    assert max(backoff.failed("a", now=0.0) for _ in range(30)) <= 0.04


def test_strain_is_measured_against_what_the_server_can_do() -> None:
    gauge = LatencyGauge()
    for _ in range(100):
        gauge.answered(0.06, admitted=False)
    assert not gauge.is_strained(), "a server that is always slow is not strained"
    for _ in range(20):
        gauge.answered(0.5, admitted=False)
    assert gauge.is_strained()
    for _ in range(50):
        gauge.answered(0.06, admitted=False)
    assert not gauge.is_strained()


def test_a_fast_server_is_not_strained_by_a_little_more() -> None:
    gauge = LatencyGauge()
    for _ in range(100):
        gauge.answered(0.001, admitted=False)
    for _ in range(100):
        gauge.answered(0.015, admitted=False)
    assert not gauge.is_strained()


def test_a_long_burst_is_not_taken_for_the_rule() -> None:
    gauge = LatencyGauge()
    for _ in range(100):
        gauge.answered(0.004, admitted=False)
    for _ in range(6000):
        gauge.answered(0.04, admitted=False)
    assert gauge.is_strained()


def test_status_writes_that_only_come_in_bursts_are_compared_with_the_server_at_rest() -> None:
    gauge = LatencyGauge()
    gauge.answered(0.004, admitted=True)  # the first pod, before the burst
    for _ in range(100):
        gauge.answered(0.08, admitted=False)
    assert gauge.is_strained()


def test_how_long_webhooks_take_is_not_taken_for_strain() -> None:
    gauge = LatencyGauge()
    for _ in range(100):
        gauge.answered(0.004, admitted=False)
        gauge.answered(9.0, admitted=True)
    assert not gauge.is_strained()
