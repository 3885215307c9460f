"""Which units are started."""

from typing import Any

import pytest

from podwright.core.job.array.start import Starts, startable
from podwright.core.model.array import ArrayRecord, RetryGroup
from podwright.core.model.units import units_of
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet
from tests.support.builders import CREATED
from tests.unit.core.job.array.builders import make_array, record_of

NOW = CREATED + 50


def starts(record: ArrayRecord | None = None, *, array: ArraySpec | None = None, **changes: Any) -> Starts:
    """Choose units of ten."""
    array = array or make_array(10)
    arguments: dict[str, Any] = {"busy": frozenset(), "places": 3, "now": NOW, **changes}
    return startable(array=array, units=units_of(record), **arguments)


@pytest.mark.parametrize(
    ("record", "changes", "want"),
    [
        (None, {}, (0, 1, 2)),
        (None, {"places": 0}, ()),
        (None, {"busy": {0, 2}}, (1, 3, 4)),
        (record_of(succeeded="0-4", failed="6"), {}, (5, 7, 8)),
        (record_of(succeeded="0-9"), {}, ()),
        (None, {"allowed": IndexSet.parse("4,9")}, (4, 9)),
        (None, {"allowed": IndexSet()}, ()),
    ],
)
def test_the_first_that_are_free(record: ArrayRecord | None, changes: dict[str, Any], want: tuple[int, ...]) -> None:
    assert starts(record, **changes).units == want


def test_a_retry_waits_for_its_time_and_then_goes_first() -> None:
    group = RetryGroup(indexes=IndexSet.parse("5-6"), attempts=1, failed=1, due=NOW + 5)
    waiting = starts(record_of(succeeded="0", retries=(group,)))
    assert (waiting.units, waiting.next_due) == ((1, 2, 3), NOW + 5)
    assert starts(record_of(succeeded="0", retries=(group,)), now=NOW + 5).units == (5, 6, 1)


def test_a_sequence_goes_on_with_its_first_open_task() -> None:
    array = make_array(5, sequential=True)
    assert starts(array=array).units == (0,)
    assert starts(record_of(succeeded="0-1"), array=array).units == (2,)
    assert starts(record_of(succeeded="0-1"), array=array, busy={2}).units == ()


def test_packs_are_started_as_wholes() -> None:
    array = make_array(10, pack=4)
    assert starts(array=array).units == (0, 1, 2)
    assert starts(record_of(succeeded="0-3,5-7"), array=array).units == (1, 2)


def test_nothing_new_is_started_while_the_record_is_full() -> None:
    array = make_array(1_000_000)
    scattered = IndexSet.of(range(100_000, 120_000, 2))
    group = RetryGroup(indexes=IndexSet.parse("1"), attempts=1, failed=1)
    found = starts(ArrayRecord(succeeded=scattered, retries=(group,)), array=array)
    assert found.units == (1,), "what was started before is still finished"


def test_a_full_record_that_nothing_will_make_smaller_holds_nobody_up() -> None:
    """As when every second task waited for one of another array: only the others can close the gaps."""
    array = make_array(1_000_000)
    scattered = ArrayRecord(succeeded=IndexSet.of(range(100_000, 120_000, 2)))
    assert starts(scattered, array=array).units == (0,)
    assert starts(scattered, array=array, busy={0}).units == ()


def test_tasks_chosen_far_apart_do_not_count_as_gaps() -> None:
    chosen = IndexSet.of(range(100_000, 118_000, 2))
    array = make_array(1_000_000, tasks=chosen)
    done = record_of(succeeded=str(IndexSet(chosen.ranges[:8_990])))
    assert starts(done, array=array).units == tuple(index for index in range(117_980, 117_986, 2))
