"""Deterministic names."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.constants.names import array_pod_name, parse_pod_name, pod_name
from podwright.core.shard import shard_of

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,12}[a-z0-9])?){0,3}", fullmatch=True)


def test_the_name_never_changes() -> None:
    """A running cluster holds pods under these names; another formula would start their attempts again."""
    assert pod_name(job_name="report", job_uid="u1", task_index=0, attempt=2) == "report-705176644c-2"


@given(name=NAMES, uid=st.uuids().map(str), attempt=st.integers(0, 10_000))
def test_names_are_valid_and_short_enough_for_a_host_name(name: str, uid: str, attempt: int) -> None:
    pod = pod_name(job_name=name, job_uid=uid, task_index=0, attempt=attempt)
    assert len(pod) <= 63
    assert all(LABEL.fullmatch(part) for part in pod.split("."))


INDEXES = st.integers(0, 1_000_000)
ATTEMPTS = st.integers(0, 999_999_999)


def test_the_name_of_an_arrays_pod_never_changes_and_shows_its_index() -> None:
    assert array_pod_name(job_name="report", job_uid="u1", index=17, attempt=2) == "report-762360ea6f-17-2"


@given(name=NAMES, uid=st.uuids().map(str), index=INDEXES, attempt=ATTEMPTS)
def test_both_forms_are_read_back(name: str, uid: str, index: int, attempt: int) -> None:
    single = pod_name(job_name=name, job_uid=uid, task_index=0, attempt=attempt)
    array = array_pod_name(job_name=name, job_uid=uid, index=index, attempt=attempt)
    assert parse_pod_name(single) == (0, attempt)
    assert parse_pod_name(array) == (index, attempt)
    assert len(array) <= 63
    assert all(LABEL.fullmatch(part) for part in array.split("."))


@given(tasks=st.tuples(INDEXES, INDEXES), attempts=st.tuples(ATTEMPTS, ATTEMPTS), name=NAMES)
def test_different_tasks_have_different_names(tasks: tuple[int, int], attempts: tuple[int, int], name: str) -> None:
    names = [
        array_pod_name(job_name=name, job_uid="u", index=index, attempt=attempt)
        for index, attempt in zip(tasks, attempts, strict=True)
    ]
    assert (names[0] == names[1]) is (tasks[0] == tasks[1] and attempts[0] == attempts[1])


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("a-0123456789-3", (0, 3)),
        ("a-0123456789-7-3", (7, 3)),
        ("a-b-5-0123456789-7-3", (7, 3)),
        ("a-0123456789-0123456789-3", (0, 3)),
        ("0123456789-3", None),
        ("0123456789-7-3", None),
        ("a-3", None),
        ("a-012345678-3", None),
        ("a-0123456789-12345678-3", None),
        ("a-0123456789-07-3", None),
        ("a-0123456789-7-03", None),
        ("a-012345678G-7", None),
        ("a-0123456789-7-", None),
        ("a-0123456789-٣-3", None),
        ("", None),
    ],
)
def test_other_names_are_not_ours(name: str, want: tuple[int, int] | None) -> None:
    assert parse_pod_name(name) == want


@given(uid=st.uuids().map(str), other=st.uuids().map(str), attempts=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_different_attempts_and_jobs_have_different_names(uid: str, other: str, attempts: tuple[int, int]) -> None:
    first = pod_name(job_name="same", job_uid=uid, task_index=0, attempt=attempts[0])
    second = pod_name(job_name="same", job_uid=other, task_index=0, attempt=attempts[1])
    assert (first == second) is (uid == other and attempts[0] == attempts[1])


def test_shards_are_stable_and_even() -> None:
    assert [shard_of(namespace=f"team-{n}", shards=4) for n in range(6)] == [3, 1, 3, 1, 2, 0]
    counts = [0] * 4
    for n in range(4000):
        counts[shard_of(namespace=f"namespace-{n}", shards=4)] += 1
    assert all(800 < count < 1200 for count in counts)
    assert shard_of(namespace="any", shards=1) == 0
