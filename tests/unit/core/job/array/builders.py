"""Builders of arrays for tests."""

from typing import Any

from podwright.core.constants.names import array_pod_name
from podwright.core.job.snapshot import Snapshot
from podwright.core.model.array import ArrayRecord, RetryGroup
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.core.model.units import units_of
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet
from tests.support.builders import make_job, make_pod


def make_array(size: int = 10, **changes: Any) -> ArraySpec:
    """Build an array of `size` tasks."""
    return ArraySpec(**{"size": size, "tasks": IndexSet.up_to(size), **changes})


def record_of(
    *,
    succeeded: str = "",
    failed: str = "",
    skipped: str = "",
    retries: tuple[RetryGroup, ...] = (),
    given_up: int = 0,
    not_retried: int = 0,
) -> ArrayRecord:
    """Build a record; sets are given as text."""
    return ArrayRecord(
        succeeded=IndexSet.parse(succeeded),
        failed=IndexSet.parse(failed),
        skipped=IndexSet.parse(skipped),
        retries=retries,
        given_up=given_up,
        not_retried=not_retried,
    )


def array_job(array: ArraySpec, **changes: Any) -> JobView:
    """Build a job of an array."""
    return make_job(array=array, **changes)


def unit_pod(job: JobView, unit: int, *, attempt: int = 0, **changes: Any) -> PodView:
    """Build the pending pod of an attempt of a unit."""
    name = array_pod_name(job_name=job.name, job_uid=job.uid, index=unit, attempt=attempt)
    return make_pod(job, **{"attempt": attempt, "name": name, "task_index": unit, "uid": f"{name}-uid", **changes})


def snapshot_of(job: JobView, *pods: PodView, now: float, **changes: Any) -> Snapshot:
    """Build the snapshot of an array."""
    return Snapshot(job=job, units=units_of(job.status.array), pods=pods, now=now, **changes)
