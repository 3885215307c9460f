"""The largest status that an array can have, as it is really written, stays below 256 KiB."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from podwright.core.commands import WriteStatus
from podwright.core.job import decide as job_policy
from podwright.core.job.array.size import STATUS_LIMIT
from podwright.core.model.array import ArrayRecord, FailureOnNode, RetryGroup
from podwright.core.model.attempt import Attempt, Outcome
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodView
from podwright.core.spec import ArraySpec, DeliveryMode
from podwright.core.values.index_set import IndexSet
from podwright.kube.codecs.status_encoding import status_fields
from tests.support.builders import CREATED, finished, running, with_status
from tests.unit.core.job.array.builders import array_job, make_array, snapshot_of, unit_pod

SIZE = 1_000_000
NOW = CREATED + 100
WORDS = "\N{MUSICAL SYMBOL G CLEF}" * 1024  # each character takes four bytes
NODE = "n" * 253
# As many single tasks as `spec.array.indexes` can name beside one large range.
SINGLES = range(700_000, 700_000 + 2 * 9_350, 2)
CHOSEN = IndexSet.of_ranges([(100_000, 600_000), *((one, one) for one in SINGLES)])
FAILED = Attempt(
    index=999_999,
    number=9,
    pod_name="p" * 63,
    pod_uid="u" * 36,
    node=NODE,
    started=NOW,
    ended=NOW,
    outcome=Outcome.FAILED,
    exit_code=137,
    reason="ContainerStatusUnknown",
    message=WORDS,
)
FAILED_ON = FailureOnNode(node=NODE, reason=WORDS[:128], exit_code=137)


def encoded(status: JobStatus) -> int:
    """Return the bytes that a status takes."""
    return len(msgspec.json.encode(status_fields(status)))


def job_of(array: ArraySpec, record: ArrayRecord, **changes: Any) -> JobView:
    """Build an array whose status is otherwise as large as it can be."""
    return with_status(
        array_job(array, name="j" * 63, **changes), phase=Phase.RUNNING, array=record, attempts=(FAILED,) * 10
    )


def written(job: JobView, pods: Iterable[PodView], **look: Any) -> JobStatus:
    """Return the status that is written after a look at the job and its pods."""
    decision = job_policy.decide(snapshot_of(job, *pods, now=NOW, **look))
    status: JobStatus = next(command.status for command in decision.commands if isinstance(command, WriteStatus))
    attempts = tuple(
        msgspec.structs.replace(FAILED, index=one.index, number=one.number, pod_name=one.pod_name)
        for one in status.attempts
    )
    conditions = tuple(msgspec.structs.replace(one, message=WORDS) for one in status.conditions) * 3
    assert status.array is not None
    array = msgspec.structs.replace(status.array, lost_nodes=(NODE,) * 10, node_failures=(FAILED_ON,) * 20)
    return msgspec.structs.replace(status, message=WORDS, attempts=attempts, conditions=conditions, array=array)


def ended(job: JobView, units: Iterable[int], *, exit_code: int = 0, **changes: Any) -> list[PodView]:
    """Build finished pods, on their way to be recorded."""
    return [finished(unit_pod(job, unit, **changes), at=NOW, exit_code=exit_code) for unit in units]


def test_the_indexes_are_as_long_as_they_may_be() -> None:
    assert 65_400 < len(str(CHOSEN)) <= 65_536


# A record just before it is too large for new tasks to be started, and the tasks of ten thousand pods that are under way.
LARGE = ArrayRecord(succeeded=IndexSet.of([*range(100_000, 118_000, 2), *SINGLES]))
UNDER_WAY = range(200_000, 220_000, 2)


@pytest.mark.parametrize("exit_code", [0, 1])
def test_ten_thousand_scattered_ends_at_once(exit_code: int) -> None:
    job = job_of(make_array(SIZE, tasks=CHOSEN, parallelism=10_000), LARGE)
    status = written(job, ended(job, UNDER_WAY, exit_code=exit_code))
    assert STATUS_LIMIT * 0.8 < encoded(status) <= STATUS_LIMIT
    assert status.array is not None
    assert len(status.array.succeeded | status.array.tried) > len(LARGE.succeeded), "no progress"


def test_what_does_not_fit_is_recorded_when_there_is_room() -> None:
    job = job_of(make_array(SIZE, tasks=CHOSEN, parallelism=10_000), LARGE)
    pods = [*ended(job, UNDER_WAY), *ended(job, (unit + 1 for unit in UNDER_WAY))]
    status = written(job, pods)
    assert status.array is not None
    assert IndexSet.of_ranges([(200_000, 219_999)]) - status.array.succeeded == IndexSet()


def test_running_tasks_come_on_top() -> None:
    job = job_of(make_array(SIZE, tasks=CHOSEN, parallelism=10_000), LARGE)
    live = [running(unit_pod(job, unit), at=NOW - 50) for unit in range(300_000, 304_000, 2)]
    status = written(job, [*ended(job, UNDER_WAY), *live])
    assert status_fields(status)["array"]["runningIndexes"]
    assert encoded(status) <= STATUS_LIMIT


def test_what_is_about_to_be_started_under_at_most_once() -> None:
    array = make_array(SIZE, tasks=CHOSEN - IndexSet.of(range(100_001, 600_000, 2)), parallelism=10_000)
    job = job_of(array, ArrayRecord(), delivery=DeliveryMode.AT_MOST_ONCE)
    intended = written(job, ())
    assert intended.array is not None
    assert 9_000 < len(intended.array.started) <= 10_000
    job = msgspec.structs.replace(job, status=msgspec.structs.replace(intended, attempts=(FAILED,) * 10))
    units = tuple(intended.array.started)
    done = written(job, ended(job, units[::2]), intended=frozenset(units[1::2]))
    assert done.array is not None
    assert not done.array.started & done.array.succeeded
    assert max(encoded(intended), encoded(done)) <= STATUS_LIMIT


def test_every_task_that_waits_for_a_time_of_its_own() -> None:
    groups = tuple(
        RetryGroup(indexes=IndexSet.of([200_001 + 2 * n]), attempts=1, failed=1, due=NOW + n) for n in range(1, 5_000)
    )
    job = job_of(make_array(SIZE, parallelism=10_000), ArrayRecord(retries=groups))
    status = written(job, ended(job, UNDER_WAY, exit_code=1))
    assert status.array is not None
    assert len(status.array.retries) <= 1_000
    assert encoded(status) <= STATUS_LIMIT
    dues = {unit: group.due for group in groups for unit in group.indexes}
    for group in status.array.retries:
        assert all(group.due is not None and (dues.get(unit) or 0) <= group.due for unit in group.indexes)


@pytest.mark.parametrize("live", [False, True])
def test_packs_whose_tasks_end_in_all_ways(live: bool) -> None:
    """Each report alone takes 4 KiB. What can't be recorded is waited for while anything may make room, then it ends the job."""
    array = make_array(SIZE, pack=1_000, parallelism=200)
    job = job_of(array, ArrayRecord(succeeded=IndexSet.of(range(1, 15_000, 2)), failed=IndexSet.of(range(0, 2_000, 2))))
    pods = []
    for unit in range(100, 300):
        good = IndexSet.of(range(unit * 1_000, unit * 1_000 + 500, 2))
        report = f"podwright pack: started 500; succeeded {good}; exit 3: {IndexSet.of(one + 1 for one in good)}."
        pods.append(finished(unit_pod(job, unit), at=NOW, exit_code=1, message=report))
    if live:
        pods.append(running(unit_pod(job, 400), at=NOW))
    status = written(job, pods)
    assert encoded(status) <= STATUS_LIMIT
    again = msgspec.structs.replace(job, status=status)
    left = [pod for pod in pods if not (status.array and pod.task_index in status.array.tried)]
    assert len(left) < len(pods)
    decision = job_policy.decide(snapshot_of(again, *left, now=NOW + 10))
    phases = {command.status.phase for command in decision.commands if isinstance(command, WriteStatus)}
    assert phases == (set() if live else {Phase.DEAD_LETTERED})


def test_up_to_ten_thousand_tasks_nothing_is_too_much() -> None:
    array = make_array(10_000, parallelism=10_000)
    job = job_of(array, ArrayRecord(failed=IndexSet.of(range(0, 9_998, 2))))
    status = written(job, ended(job, range(1, 9_999, 2)))
    assert status.array is not None
    assert (status.phase, len(status.array.succeeded)) == (Phase.RUNNING, 4_999)
    assert encoded(status) <= STATUS_LIMIT
