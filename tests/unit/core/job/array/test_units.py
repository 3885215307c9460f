"""Tasks and the units that run them."""

import pytest

from podwright.core.model.array import RetryGroup
from podwright.core.model.units import end_on_record, open_tasks, tasks_of, unit_of, units_of, units_with
from podwright.core.values.index_set import IndexSet
from tests.support.builders import with_status
from tests.unit.core.job.array.builders import array_job, make_array, record_of


@pytest.mark.parametrize(
    ("pack", "unit", "want"), [(1, 3, "3"), (4, 0, "0-3"), (4, 2, "8-9"), (100, 0, "0-9"), (4, 9, "")]
)
def test_tasks_of_a_unit(pack: int, unit: int, want: str) -> None:
    array = make_array(10, pack=pack)
    assert str(tasks_of(array=array, unit=unit)) == want
    assert {unit_of(array=array, task=task) for task in tasks_of(array=array, unit=unit)} <= {unit}


def test_a_pack_holds_only_the_chosen_tasks() -> None:
    array = make_array(10, pack=4, tasks=IndexSet.parse("1,3,7"))
    assert [str(tasks_of(array=array, unit=unit)) for unit in range(3)] == ["1,3", "7", ""]
    assert str(units_with(array=array, tasks=array.tasks)) == "0-1"


def test_open_tasks() -> None:
    record = record_of(succeeded="0-4", failed="7")
    assert str(open_tasks(array=make_array(10), record=record)) == "5-6,8-9"


GROUPS = (RetryGroup(indexes=IndexSet.parse("1-2"), attempts=1), RetryGroup(indexes=IndexSet.parse("5"), attempts=3))


def test_attempts_of_a_unit() -> None:
    units = units_of(record_of(retries=GROUPS))
    assert [units.attempts(unit) for unit in (0, 1, 2, 5, 6)] == [0, 1, 1, 3, 0]


@pytest.mark.parametrize(
    ("unit", "attempt", "want"),
    [(0, 0, True), (1, 0, True), (1, 1, False), (5, 2, True), (5, 3, False), (6, 0, False), (9, 5, True)],
)
def test_whether_an_end_is_on_record(unit: int, attempt: int, want: bool) -> None:
    record = record_of(succeeded="0", failed="9", retries=GROUPS)
    job = with_status(array_job(make_array(10)), array=record)
    assert end_on_record(job=job, unit=unit, attempt=attempt) is want
    assert not end_on_record(job=array_job(make_array(10)), unit=unit, attempt=attempt), "nothing is on record yet"
