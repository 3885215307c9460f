from __future__ import annotations

from typing import Any

import pytest

from podwright.cli.jobs.copies import (
    Origin,
    announced,
    copied,
    copy_name,
    copy_number,
    going_on,
    in_series,
    mark_with,
    undone,
)
from podwright.core.values.index_set import IndexSet
from tests.unit.cli.jobs.objects import make_job

COPY = {"annotations": {"podwright.dev/restart-of": "u-0"}}
RETRIED = {"annotations": {"podwright.dev/retry-of": "u-0"}}
REDRIVEN = {"annotations": {"podwright.dev/redrive-of": "u-0", "podwright.dev/redrive-count": "3"}}


@pytest.mark.parametrize(
    ("name", "meta", "origin", "copy"),
    [
        ("a", {}, Origin.RESTART, "a-r1"),
        ("a-r1", COPY, Origin.RESTART, "a-r2"),
        ("a-r9", COPY, Origin.RESTART, "a-r10"),
        ("build-r2", {}, Origin.RESTART, "build-r2-r1"),  # its user named it so
        ("a", {}, Origin.REDRIVE, "a-r1"),
        ("a-r3", REDRIVEN, Origin.REDRIVE, "a-r4"),
        ("a-r3", REDRIVEN, Origin.RESTART, "a-r4"),
        ("a-r1", COPY, Origin.REDRIVE, "a-r2"),  # not its own name
        ("a", {}, Origin.RETRY, "a-retry1"),
        ("a-retry1", RETRIED, Origin.RETRY, "a-retry2"),
        ("a-retry1", RETRIED, Origin.RESTART, "a-retry1-r1"),
        ("a-r3", COPY, Origin.RETRY, "a-r3-retry1"),
        ("x" * 63, {}, Origin.RESTART, "x" * 60 + "-r1"),
        ("x" * 59 + ".abc", {}, Origin.RESTART, "x" * 59 + "-r1"),
    ],
)
def test_names(name: str, meta: dict[str, Any], origin: Origin, copy: str) -> None:
    job = make_job(name, meta=meta)
    assert copy_name(job, copy_number(job, origin=origin), origin=origin) == copy
    assert len(copy) <= 63


@pytest.mark.parametrize("text", ["", "x", "-1", "1e3", "9" * 50])
def test_a_count_that_makes_no_sense_is_none(text: str) -> None:
    job = make_job(meta={"annotations": {"podwright.dev/redrive-count": text}})
    assert copy_number(job, origin=Origin.REDRIVE) == 1


def test_what_is_copied_and_what_is_not() -> None:
    job = make_job(
        cancel="Graceful",
        suspend=True,
        startAt="2026-11-21T10:00:00Z",
        priority=3,
        meta={
            "labels": {"team": "x", "podwright.dev/restart-of": "u-0", "argocd.argoproj.io/instance": "app"},
            "annotations": {
                "note": "y",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "podwright.dev/restart-of": "u-0",
            },
            "ownerReferences": [{}],
            "resourceVersion": "7",
        },
        status={"phase": "Cancelled"},
    )
    copy = copied(job, name="report-r1", origin=Origin.RESTART)
    assert copy["spec"] == {"template": {}, "priority": 3}
    assert copy["metadata"] == {
        "name": "report-r1",
        "namespace": "n",
        "labels": {"team": "x", "podwright.dev/restart-of": "u-1"},
        "annotations": {"note": "y", "podwright.dev/restart-of": "u-1", "podwright.dev/copy-of": "report"},
    }
    assert "status" not in copy


@pytest.mark.parametrize(
    ("known", "attempts", "work", "tokens"),
    [
        ({}, 3, "u-1", "4"),
        ({}, 0, "u-1", "1"),
        ({"work-of": "u-0", "tokens-before": "4"}, 2, "u-0", "7"),
        ({"work-of": "u 0", "tokens-before": "4"}, 2, "u-1", "3"),
        ({"restart-of": "u-0"}, 2, "u-1", "3"),  # it began anew
    ],
)
def test_the_work_is_that_of_the_first_of_a_chain(known: dict[str, str], attempts: int, work: str, tokens: str) -> None:
    annotations = {f"podwright.dev/{key}": value for key, value in known.items()}
    job = make_job(meta={"annotations": annotations}, status={"attemptCount": attempts})
    copy = going_on(copied(job, name="c", origin=Origin.REDRIVE), job)
    told = copy["metadata"]["annotations"]
    assert (told["podwright.dev/work-of"], told["podwright.dev/tokens-before"]) == (work, tokens)
    assert told["podwright.dev/redrive-of"] == "u-1"
    anew = copied(job, name="c", origin=Origin.RESTART)["metadata"]["annotations"]
    assert anew == {"podwright.dev/restart-of": "u-1", "podwright.dev/copy-of": "report"}


@pytest.mark.parametrize(
    ("array", "changed", "same"),
    [
        ({"items": ["a", "b"]}, {"items": ["a", "b"], "indexes": "1", "parallelism": 1}, True),
        ({"items": ["a", "b"]}, {"items": ["a", "c"]}, False),
        ({"size": 2}, {"size": 3}, True),
        ({"size": 2}, None, False),
        (None, {"size": 2}, False),
    ],
)
def test_changed_tasks_are_other_work(array: dict[str, Any] | None, changed: dict[str, Any] | None, same: bool) -> None:
    job = make_job()
    job["spec"] |= {"array": array} if array else {}
    copy = copied(job, name="c", origin=Origin.REDRIVE)
    spec = {key: value for key, value in copy["spec"].items() if key != "array"}
    copy["spec"] = {**spec, **({"array": changed} if changed else {})}
    assert ("podwright.dev/work-of" in going_on(copy, job)["metadata"]["annotations"]) is same


@pytest.mark.parametrize(
    ("array", "status", "tasks"),
    [
        ({"size": 5}, {}, "0-4"),
        ({"size": 5}, {"succeededIndexes": "0-2"}, "3-4"),
        ({"size": 5}, {"succeededIndexes": "0-4"}, ""),
        ({"items": ["a", "b", "c"]}, {"succeededIndexes": "1"}, "0,2"),
        ({"size": 9, "indexes": "3-6"}, {"succeededIndexes": "4", "failedIndexes": "3"}, "3,5-6"),
        ({"size": 5}, {"succeededIndexes": "0", "failedIndexes": "1", "skippedIndexes": "2-3"}, "1,4"),
        ({"size": 5}, {"succeededIndexes": "0-1", "skippedIndexes": "2-4"}, ""),
    ],
)
def test_undone(array: dict[str, Any], status: dict[str, Any], tasks: str) -> None:
    assert str(undone(make_job(array=array, status={"array": status}))) == tasks


@pytest.mark.parametrize(
    ("policy", "after"),
    [
        (None, None),
        ({"count": 8}, {"count": 2}),
        ({"count": 6}, None),  # had it been enough, the job would have succeeded
        ({"indexes": "0-7"}, {"indexes": "6-7"}),
        ({"indexes": "4-9", "count": 5}, {"indexes": "6-9", "count": 3}),
    ],
)
def test_what_had_succeeded_counts_towards_the_success_policy(
    policy: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    array = {"size": 10, **({"successPolicy": policy} if policy else {})}
    job = make_job(array=array, status={"array": {"succeededIndexes": "0-5"}})
    copy = copied(job, name="c", origin=Origin.RESTART, tasks=IndexSet.parse("6-9"))
    assert copy["spec"]["array"].get("successPolicy") == after
    assert copy["spec"]["array"]["indexes"] == "6-9"


def test_no_copy_waits_for_the_success_of_skipped_tasks() -> None:
    array = {"size": 10, "successPolicy": {"indexes": "0-7"}}
    job = make_job(
        array=array, status={"array": {"succeededIndexes": "0-5", "failedIndexes": "6", "skippedIndexes": "7"}}
    )
    assert copied(job, name="c", origin=Origin.RESTART, tasks=undone(job))["spec"]["array"] == {
        "size": 10,
        "indexes": "6,8-9",
        "successPolicy": {"indexes": "6"},
    }


def test_marks_keep_the_names_of_all_copies_and_only_so_many() -> None:
    job = make_job(meta={"annotations": {"podwright.dev/restarted-as": "again1, again2"}})
    assert announced(job, Origin.RESTART) == ("again1", "again2")
    assert mark_with(job, Origin.RESTART, "again1") == "again2,again1"
    for number in range(200):
        job["metadata"]["annotations"]["podwright.dev/restarted-as"] = mark_with(job, Origin.RESTART, f"n{number}")
    assert announced(job, Origin.RESTART) == tuple(f"n{number}" for number in range(150, 200))


@pytest.mark.parametrize(
    ("name", "is_ours"),
    [("report-r1", True), ("report-r12", True), ("again1", False), ("report-retry1", False), ("report-r", False)],
)
def test_a_name_that_we_gave_is_told_from_one_that_the_user_gave(name: str, is_ours: bool) -> None:
    assert in_series(name, make_job("report"), Origin.RESTART) is is_ours
