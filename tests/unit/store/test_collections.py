"""The work queue, the timers, the tombstones and the expectations of all objects."""

from hypothesis import given
from hypothesis import strategies as st

from podwright.core.values.ref import JOB, Ref
from podwright.store.expectations import Expectations, ExpectationsOfAll
from podwright.store.timers import Timers
from podwright.store.tombstones import Tombstones
from podwright.store.work_queue import WorkQueue


def test_many_events_of_one_object_cost_one_reconcile_in_the_first_ones_place() -> None:
    queue = WorkQueue[str]()
    for key in "abacb":
        queue.add(key)
    assert [queue.pop() for _ in range(len(queue))] == ["a", "b", "c"]


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.none() | st.integers(0, 50).map(float)), max_size=200),
    st.integers(0, 60),
)
def test_timers_agree_with_a_plain_dictionary(steps: list[tuple[str, float | None]], now: float) -> None:
    timers, want = Timers[str](), dict[str, float]()
    for key, when in steps:
        timers.set(key, when)
        if when is None:
            want.pop(key, None)
        else:
            want[key] = when
        assert timers.next_at() == min(want.values(), default=None)
        assert len(timers) == len(want)
    due = {key for key, when in want.items() if when <= now}
    first = timers.pop_due(now, most=2)
    assert [want[key] for key in first] == sorted(want[key] for key in due)[:2]
    assert {*first, *timers.pop_due(now, most=100)} == due
    assert timers.next_at() == min((when for when in want.values() if when > now), default=None)


def test_replaced_timers_do_not_pile_up() -> None:
    timers = Timers[str]()
    for n in range(10_000):
        timers.set("one", float(n))
    assert len(timers._heap) < 200


def test_tombstones_forget_the_oldest() -> None:
    tombstones = Tombstones(capacity=2)
    for uid in "abc":
        tombstones.add(uid)
    assert ["a" in tombstones, "b" in tombstones, "c" in tombstones, len(tombstones)] == [False, True, True, 2]


def test_expectations_are_kept_while_a_response_is_outstanding() -> None:
    expectations = ExpectationsOfAll(Expectations)
    one = Ref(JOB, "a")
    expectations.of(one).outstanding = 1
    expectations.drop(one)
    assert len(expectations) == 1
    expectations.of(one).outstanding = 0
    expectations.drop(one)
    assert len(expectations) == 0
    assert not expectations.of(one).must_confirm
