"""Which tasks of an array may start, and which never can, by the tasks of another."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.job.gates.dependency import Dependencies
from podwright.core.job.gates.task_dependency import task_dependencies
from podwright.core.model.array import ArrayRecord, RetryGroup
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.spec import ArraySpec, Dependency, DependencyCondition, Otherwise
from podwright.core.values.index_set import EMPTY, IndexSet
from tests.support.builders import make_job, with_status

SIZE = 6


def array(tasks: IndexSet | None = None) -> ArraySpec:
    """Build an array of six tasks."""
    return ArraySpec(size=SIZE, tasks=IndexSet.up_to(SIZE) if tasks is None else tasks)


def sets(text: str) -> IndexSet:
    """Read an index set."""
    return IndexSet.parse(text)


def other(phase: Phase | None, name: str = "a", tasks: IndexSet | None = None, **record: Any) -> JobView:
    """Build the array that is depended on: by default 0 and 1 succeeded, 2 failed, 3 runs, 4 is to be retried."""
    retries = (RetryGroup(indexes=sets("4"), attempts=1, failed=1),)
    made = {"succeeded": sets("0-1"), "failed": sets("2"), "running": sets("3"), "retries": retries, **record}
    return with_status(make_job(uid=name, name=name, array=array(tasks)), phase=phase, array=ArrayRecord(**made))


def ask(*wanted: Dependency, on: tuple[JobView, ...]) -> tuple[str, str, str]:
    """Return ready, failed and skipped tasks in words."""
    job = make_job(array=array(), dependencies=wanted)
    found = task_dependencies(job=job, dependencies=Dependencies(jobs={one.name: one for one in on}))
    return str(found.ready), str(found.failed), str(found.skipped)


def by_task(condition: str = "Succeeded", otherwise: str = "Fail", name: str = "a") -> Dependency:
    """Build an NToN dependency."""
    return Dependency(
        name=name, condition=DependencyCondition(condition), otherwise=Otherwise(otherwise), task_by_task=True
    )


@pytest.mark.parametrize(
    ("condition", "running", "over"),
    [
        ("Succeeded", ("0-1", "2"), ("0-1", "2-5")),
        ("Failed", ("2", "0-1"), ("2", "0-1,3-5")),
        ("Finished", ("0-2", ""), ("0-5", "")),
        ("Started", ("0-4", ""), ("0-4", "5")),
    ],
)
def test_by_condition(condition: str, running: tuple[str, str], over: tuple[str, str]) -> None:
    assert ask(by_task(condition), on=(other(Phase.RUNNING),)) == (*running, "")
    assert ask(by_task(condition), on=(other(Phase.FAILED),)) == (*over, "")


@pytest.mark.parametrize(
    ("condition", "found"),
    [("Succeeded", ("0-1", "2,5")), ("Failed", ("2", "0-1,5")), ("Finished", ("0-2,5", "")), ("Started", ("0-4", "5"))],
)
def test_a_skipped_task_is_finished_and_nothing_else(condition: str, found: tuple[str, str]) -> None:
    assert ask(by_task(condition), on=(other(Phase.RUNNING, skipped=sets("5")),)) == (*found, "")


def test_what_is_only_meant_to_start_has_not_started() -> None:
    assert ask(by_task("Started"), on=(other(Phase.RUNNING, started=sets("0-5")),)) == ("0-4", "", "")


def test_a_pack_that_was_tried_has_started_with_all_its_tasks() -> None:
    packed = other(Phase.RUNNING, succeeded=EMPTY, failed=EMPTY, running=EMPTY)
    retries = (RetryGroup(indexes=sets("1"), attempts=1),)
    packed = with_status(
        msgspec.structs.replace(packed, array=msgspec.structs.replace(array(), pack=2)),
        array=ArrayRecord(retries=retries),
    )
    assert ask(by_task("Started"), on=(packed,)) == ("2-3", "", "")


def test_d14_no_task_of_an_array_of_which_nothing_started_has_started() -> None:
    tried = (RetryGroup(indexes=sets("0-2"), attempts=1),)
    record = ArrayRecord(failed=sets("3"), retries=tried, never_started=True)
    assert ask(by_task("Started"), on=(with_status(other(Phase.RUNNING), array=record),)) == ("", "3", "")
    assert ask(by_task("Started"), on=(with_status(other(Phase.CANCELLED), array=record),)) == ("", "0-5", "")


def test_what_never_can_is_failed_skipped_or_run() -> None:
    assert ask(by_task(otherwise="Skip"), on=(other(Phase.FAILED),)) == ("0-1", "", "2-5")
    assert ask(by_task(otherwise="Run"), on=(other(Phase.RUNNING),)) == ("0-2", "", "")


def test_several_dependencies_must_all_let_a_task_start_and_fail_beats_skip() -> None:
    late = other(Phase.RUNNING, "b", succeeded=sets("1-2"), failed=sets("0,5"))
    found = ask(by_task(), by_task(otherwise="Skip", name="b"), on=(other(Phase.FAILED), late))
    assert found == ("1", "2-5", "0")


def test_a_missing_or_unfit_dependency_lets_nothing_start() -> None:
    assert ask(by_task(), on=()) == ("", "", "")
    assert ask(by_task(), on=(make_job(name="a"),)) == ("", "", "")


def test_tasks_without_a_counterpart_never_can() -> None:
    assert ask(by_task(), on=(other(None, tasks=sets("0-3"), retries=()),)) == ("0-1", "2,4-5", "")


def test_dependencies_on_whole_jobs_say_nothing_about_tasks() -> None:
    assert ask(Dependency(name="a"), on=(other(None),)) == ("0-5", "", "")


indexes = st.frozensets(st.integers(0, SIZE - 1)).map(IndexSet.of)


@given(
    st.lists(st.tuples(st.sampled_from(DependencyCondition), st.sampled_from(Otherwise)), min_size=1, max_size=4),
    indexes,
    indexes,
    indexes,
    st.sampled_from([None, Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED]),
)
def test_the_sets_never_overlap_and_at_the_end_no_task_is_left_waiting(
    wanted: list[tuple[DependencyCondition, Otherwise]],
    succeeded: IndexSet,
    failed: IndexSet,
    running: IndexSet,
    phase: Phase | None,
) -> None:
    others = {
        f"n{n}": other(phase, f"n{n}", succeeded=succeeded, failed=failed - succeeded, running=running, retries=())
        for n in range(len(wanted))
    }
    job = make_job(
        array=array(),
        dependencies=tuple(
            Dependency(name=f"n{n}", condition=c, otherwise=o, task_by_task=True) for n, (c, o) in enumerate(wanted)
        ),
    )
    found = task_dependencies(job=job, dependencies=Dependencies(jobs=others))
    assert found.ready & found.failed == found.ready & found.skipped == found.failed & found.skipped == EMPTY
    if phase is not None and phase.terminal:
        assert found.ready | found.failed | found.skipped == IndexSet.up_to(SIZE)
