"""Index sets: the text form, and that they behave as the sets that they stand for."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.values.index_set import EMPTY, IndexSet

members = st.frozensets(st.integers(0, 40))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", ()),
        ("7", ((7, 7),)),
        ("0-3,7", ((0, 3), (7, 7))),
        ("7,0-3", ((0, 3), (7, 7))),
        ("0-3,2-9", ((0, 9),)),
        ("0-3,4", ((0, 4),)),
        ("1,1,1", ((1, 1),)),
    ],
)
def test_parsing(text: str, want: tuple[tuple[int, int], ...]) -> None:
    assert IndexSet.parse(text).ranges == want


@pytest.mark.parametrize("text", [",", "a", "1-", "-1", "3-1", "1--2", "1, 2", "٣", "1-2-3"])
def test_what_is_no_index_set(text: str) -> None:
    with pytest.raises(ValueError, match=r"no index or range|ends before"):
        IndexSet.parse(text)


@given(members)
def test_text_and_back(found: frozenset[int]) -> None:
    indexes = IndexSet.of(found)
    assert IndexSet.parse(str(indexes)) == indexes
    assert (list(indexes), len(indexes), bool(indexes)) == (sorted(found), len(found), bool(found))
    assert {index for index in range(45) if index in indexes} == found


@given(members, members)
def test_set_algebra(left: frozenset[int], right: frozenset[int]) -> None:
    a, b = IndexSet.of(left), IndexSet.of(right)
    assert set(a | b) == left | right
    assert set(a - b) == left - right
    assert set(a & b) == left & right
    assert (a | b) == IndexSet.of(left | right), "one set has one form"
    assert (a - b) == IndexSet.of(left - right)


def test_a_million_indexes_take_one_range() -> None:
    tasks = IndexSet.up_to(1_000_000)
    assert (tasks.ranges, len(tasks), IndexSet.up_to(0)) == (((0, 999_999),), 1_000_000, EMPTY)


def test_taking_away_a_scattered_set_costs_by_what_is_left_not_by_its_size() -> None:
    scattered = IndexSet.of(range(0, 200_000, 2))
    began = time.process_time()
    for index in range(100_000, 104_000):
        assert bool(IndexSet.of([index]) - scattered) is (index % 2 == 1)
    assert time.process_time() - began < 2.0, "each of them must not walk through all ranges"
