"""When a dependency is met, when it can't be any more, and what follows."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.job.gates.cycle import Cycle, cycle_from
from podwright.core.job.gates.dependency import NO_DEPENDENCIES, Dependencies, Outlook, dependency, judge
from podwright.core.job.gates.result import OPEN, End, Wait
from podwright.core.model.array import ArrayRecord, RetryGroup
from podwright.core.model.attempt import Outcome
from podwright.core.model.job import JobView
from podwright.core.model.phase import TERMINAL, Phase
from podwright.core.spec import ArraySpec, Dependency, DependencyCondition, Otherwise
from podwright.core.values.index_set import IndexSet
from podwright.store.compaction import compacted
from tests.support.builders import make_attempt, make_job, with_status

SUCCEEDED, FAILED, FINISHED, STARTED = (
    DependencyCondition.SUCCEEDED,
    DependencyCondition.FAILED,
    DependencyCondition.FINISHED,
    DependencyCondition.STARTED,
)
MET, OPEN_STILL, NEVER = Outlook.MET, Outlook.OPEN, Outlook.NEVER


def other(phase: Phase | None, *, ran: bool = True, name: str = "a", **changes: Any) -> JobView:
    """Build the job that is depended on."""
    job = make_job(uid=f"uid-{name}", name=name, **changes)
    ended = ran and phase in TERMINAL | {Phase.RETRYING}
    attempts = (make_attempt(job, outcome=Outcome.FAILED, started=job.created),) if ended else ()
    return with_status(job, phase=phase, attempts=attempts)


def known(*jobs: JobView, **more: Any) -> Dependencies:
    """Build what is known of jobs."""
    return Dependencies(jobs={job.name: job for job in jobs}, **more)


@pytest.mark.parametrize(
    ("phase", "ran", "succeeded", "failed", "finished", "started"),
    [
        (None, False, OPEN_STILL, OPEN_STILL, OPEN_STILL, OPEN_STILL),
        (Phase.PENDING, False, OPEN_STILL, OPEN_STILL, OPEN_STILL, OPEN_STILL),
        (Phase.SUSPENDED, False, OPEN_STILL, OPEN_STILL, OPEN_STILL, OPEN_STILL),
        (Phase.RUNNING, True, OPEN_STILL, OPEN_STILL, OPEN_STILL, MET),
        (Phase.RETRYING, True, OPEN_STILL, OPEN_STILL, OPEN_STILL, MET),
        (Phase.SUCCEEDED, True, MET, NEVER, MET, MET),
        (Phase.FAILED, True, NEVER, MET, MET, MET),
        (Phase.FAILED, False, NEVER, MET, MET, NEVER),
        (Phase.DEAD_LETTERED, True, NEVER, MET, MET, MET),
        (Phase.CANCELLED, True, NEVER, NEVER, MET, MET),
        (Phase.CANCELLED, False, NEVER, NEVER, MET, NEVER),
        (Phase.SKIPPED, False, NEVER, NEVER, MET, NEVER),
    ],
)
def test_conditions_by_phase(
    phase: Phase | None, ran: bool, succeeded: Outlook, failed: Outlook, finished: Outlook, started: Outlook
) -> None:
    job = other(phase, ran=ran)
    for condition, outlook in ((SUCCEEDED, succeeded), (FAILED, failed), (FINISHED, finished), (STARTED, started)):
        assert judge(wanted=Dependency(name="a", condition=condition), other=job, started=False) is outlook, condition


@pytest.mark.parametrize(
    ("phase", "attempt"),
    [
        pytest.param(Phase.CANCELLED, {"outcome": Outcome.STOPPED}, id="D14 stopped before it had a node"),
        pytest.param(Phase.RETRYING, {"reason": "NameCollision", "pod_uid": ""}, id="D14 name taken"),
        pytest.param(Phase.FAILED, {"reason": "DeletedBeforeStart"}, id="D14 deleted before its start"),
    ],
)
def test_d14_an_attempt_that_never_started_is_no_start(phase: Phase, attempt: dict[str, Any]) -> None:
    job = other(phase, ran=False)
    job = with_status(job, attempts=(make_attempt(job, **attempt),), attempt_count=1)
    outlook = judge(wanted=Dependency(name="a", condition=STARTED), other=job, started=False)
    assert outlook is (NEVER if phase.terminal else OPEN_STILL)


def test_d14_tasks_that_were_given_up_never_started() -> None:
    wanted = Dependency(name="a", condition=STARTED)
    record = ArrayRecord(failed=IndexSet.up_to(3), given_up=3)
    assert judge(wanted=wanted, other=with_status(other(Phase.FAILED, ran=False), array=record), started=False) is NEVER
    record = ArrayRecord(failed=IndexSet.up_to(3), given_up=2)
    assert judge(wanted=wanted, other=with_status(other(Phase.FAILED, ran=False), array=record), started=False) is MET


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"retries": (RetryGroup(indexes=IndexSet.up_to(2), attempts=1),)}, id="D14 stopped"),
        pytest.param({"failed": IndexSet.up_to(20)}, id="D14 failed, more often than status lists"),
    ],
)
def test_d14_an_array_of_which_nothing_started(record: dict[str, Any]) -> None:
    wanted = Dependency(name="a", condition=STARTED)
    for never_started, phase, outlook in (
        (True, Phase.CANCELLED, NEVER),
        (True, Phase.SUSPENDED, OPEN_STILL),
        (False, Phase.CANCELLED, MET),
    ):
        on = with_status(other(phase, ran=False), array=ArrayRecord(never_started=never_started, **record))
        assert judge(wanted=wanted, other=on, started=False) is outlook
        assert judge(wanted=wanted, other=compacted(on), started=False) is outlook


def test_a_pod_that_was_seen_to_start_counts_before_status_says_so() -> None:
    wanted = Dependency(name="a", condition=STARTED)
    assert judge(wanted=wanted, other=other(None), started=True) is MET


def test_an_array_whose_pods_wait_for_a_node_has_not_started() -> None:
    wanted, one = Dependency(name="a", condition=STARTED), IndexSet.of([1])
    pending = with_status(other(Phase.PENDING), array=ArrayRecord(running=one, started=one))
    assert judge(wanted=wanted, other=pending, started=False) is OPEN_STILL
    assert judge(wanted=wanted, other=pending, started=True) is MET
    ended = with_status(other(Phase.STOPPING), array=ArrayRecord(failed=one))
    assert judge(wanted=wanted, other=ended, started=False) is MET


@pytest.mark.parametrize(
    ("otherwise", "phase"), [(Otherwise.FAIL, Phase.FAILED), (Otherwise.SKIP, Phase.SKIPPED), (Otherwise.RUN, None)]
)
def test_what_follows_when_a_condition_cannot_come_true(otherwise: Otherwise, phase: Phase | None) -> None:
    job = make_job(dependencies=(Dependency(name="a", otherwise=otherwise),))
    gate = dependency(job=job, dependencies=known(other(Phase.FAILED)))
    if phase is None:
        assert gate == OPEN
    else:
        message = "job a should succeed first, but it ended as Failed"
        assert gate == End(phase=phase, reason="DependencyFailed", message=message)


def test_one_that_cannot_be_met_ends_the_job_though_others_are_missing_or_run() -> None:
    job = make_job(dependencies=(Dependency(name="gone"), Dependency(name="runs"), Dependency(name="a")))
    gate = dependency(job=job, dependencies=known(other(Phase.RUNNING, name="runs"), other(Phase.FAILED)))
    assert isinstance(gate, End)


def test_why_a_job_waits_is_told_by_the_first_that_it_waits_for() -> None:
    job = make_job(dependencies=(Dependency(name="a"), Dependency(name="b", condition=STARTED), Dependency(name="c")))
    a, b = other(Phase.SUCCEEDED), other(None, name="b")
    missing = dependency(job=job, dependencies=known(a, b))
    assert missing == Wait(reason="DependencyMissing", message="there is no job c, which must succeed first")
    waiting = dependency(job=job, dependencies=known(a, b, other(None, name="c")))
    assert waiting == Wait(reason="DependencyWaiting", message="job b must start first")
    cycle = dependency(job=job, dependencies=known(a, b, cycle=Cycle(names=("job", "b"), length=2)))
    assert isinstance(cycle, Wait)
    assert (cycle.reason, "job → b → job" in cycle.message) == ("DependencyCycle", True)
    assert dependency(job=make_job(), dependencies=NO_DEPENDENCIES) == OPEN


def test_a_long_cycle_is_told_in_a_message_that_can_be_written() -> None:
    job = make_job(dependencies=(Dependency(name="n1"),))
    names = [*(f"n{n}" for n in range(10_000)), "job"]
    cycle = cycle_from(names, start=10_000, name_of=str)
    gate = dependency(job=job, dependencies=Dependencies(cycle=cycle))
    assert isinstance(gate, Wait)
    assert len(gate.message) < 1024
    assert gate.message.count("job →") == 1
    assert "job → n0 → n1 " in gate.message
    assert "(9992 more) → job" in gate.message


def test_task_by_task_needs_two_arrays_of_one_size() -> None:
    def array(size: int) -> ArraySpec:
        return ArraySpec(size=size, tasks=IndexSet.up_to(size))

    wanted = (Dependency(name="a", task_by_task=True),)
    fits = make_job(array=array(3), dependencies=wanted)
    assert dependency(job=fits, dependencies=known(other(None, array=array(3)))) == OPEN
    missing = dependency(job=fits, dependencies=NO_DEPENDENCIES)
    assert isinstance(missing, Wait)
    for job, on in (
        (fits, other(None, array=array(4))),
        (fits, other(None)),
        (make_job(dependencies=wanted), other(None, array=array(3))),
    ):
        gate = dependency(job=job, dependencies=known(on))
        assert isinstance(gate, End)
        assert (gate.phase, gate.reason) == (Phase.FAILED, "DependencyMismatch")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(DependencyCondition),
            st.sampled_from(Otherwise),
            st.none() | st.sampled_from([None, *Phase]),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_the_outcome_never_hangs_on_the_order_and_only_opens_when_nothing_is_open(
    told: list[tuple[DependencyCondition, Otherwise, Phase | None, bool]],
) -> None:
    wanted = [Dependency(name=f"n{n}", condition=c, otherwise=o) for n, (c, o, _, _) in enumerate(told)]
    jobs = [other(phase, name=f"n{n}") for n, (_, _, phase, exists) in enumerate(told) if exists]
    gates = [
        dependency(job=make_job(dependencies=tuple(order)), dependencies=known(*jobs))
        for order in (wanted, wanted[::-1])
    ]
    assert type(gates[0]) is type(gates[1])
    present = {job.name: job for job in jobs}
    outlooks = [
        judge(wanted=one, other=present[one.name], started=False) if one.name in present else None for one in wanted
    ]
    lost = any(
        outlook is NEVER and one.otherwise is not Otherwise.RUN for one, outlook in zip(wanted, outlooks, strict=True)
    )
    assert isinstance(gates[0], End) == lost
    if not lost:
        assert (gates[0] == OPEN) == all(outlook in (MET, NEVER) for outlook in outlooks)
