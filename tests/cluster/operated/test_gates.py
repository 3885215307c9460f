"""What holds jobs back, on a real API server with the shipped rights."""

from __future__ import annotations

import contextlib
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from podwright.core.constants.names import key_lease_name
from tests.cluster.api import Api
from tests.cluster.jobs import Jobs

if TYPE_CHECKING:
    from podwright.devcluster import EmbeddedCluster
    from tests.support.operators import OperatorProcess


def test_a_chain_submitted_backwards_runs_in_its_order(operator: OperatorProcess, jobs: Jobs) -> None:
    names = [f"step-{number}" for number in range(6)]
    for before, name in reversed(list(itertools.pairwise(names))):
        jobs.submit(name, dependsOn=[{"name": before}])
    jobs.submit("cleanup", dependsOn=[{"name": names[-1], "condition": "Failed", "otherwise": "Skip"}])
    jobs.submit(names[0])
    ends = [jobs.wait_until_over(name)["finishTime"] for name in names]
    assert ends == sorted(ends)
    assert {jobs.status(name)["phase"] for name in names} == {"Succeeded"}
    skipped = jobs.wait_until_over("cleanup")
    assert (skipped["phase"], skipped["reason"]) == ("Skipped", "DependencyFailed")
    assert not jobs.pods("cleanup")


def test_d14_an_array_that_no_node_took_up_has_not_started(operator: OperatorProcess, jobs: Jobs) -> None:
    jobs.submit("first", script={"pending": "1h"}, array={"size": 2})
    until = time.monotonic() + 30
    while len(jobs.pods("first")) < 2:
        assert time.monotonic() < until
        time.sleep(0.1)
    jobs.edit("first", cancel="Graceful")
    assert jobs.wait_until_over("first")["array"]["neverStarted"]
    jobs.submit("second", dependsOn=[{"name": "first", "condition": "Started"}])
    ended = jobs.wait_until_over("second")
    assert (ended["phase"], ended["reason"]) == ("Failed", "DependencyFailed")


def test_b36_a_job_restored_from_a_backup_is_skipped_while_its_key_is_remembered(
    operator: OperatorProcess, api: Api, jobs: Jobs
) -> None:
    """The page about restoring says that a restored job runs again; this is what keeps one from it."""
    jobs.submit("invoice", deliveryMode="AtMostOnce", idempotencyKey="invoice-2026-11")
    assert jobs.wait_until_over("invoice")["phase"] == "Succeeded"
    saved = api.get("BatchJob", jobs.namespace, "invoice").expect()
    api.delete("BatchJob", jobs.namespace, "invoice").expect()
    until = time.monotonic() + 30
    while api.get("BatchJob", jobs.namespace, "invoice").ok:
        assert time.monotonic() < until
        time.sleep(0.1)
    kept = {key: value for key, value in saved["metadata"].items() if key not in {"uid", "resourceVersion"}}
    restored = api.create({**saved, "metadata": kept}).expect()
    status = jobs.wait_until_over("invoice")
    assert (status["phase"], status["reason"], status["attemptCount"]) == ("Skipped", "Duplicate", 0)
    assert restored["metadata"]["uid"] != saved["metadata"]["uid"]
    written = {"status": saved["status"]}
    words = api.patch("BatchJob", jobs.namespace, "invoice", written, subresource="status").message
    assert "phase Skipped cannot become Succeeded" in words, "the status of the backup can't be put back"


def test_twenty_jobs_with_one_key_run_once_and_the_key_outlives_them(
    operator: OperatorProcess, cluster: EmbeddedCluster, api: Api, jobs: Jobs
) -> None:
    names = [f"order-{number}" for number in range(20)]

    def submit(part: int) -> None:
        with contextlib.closing(Api.of(cluster).connection) as connection:
            for name in names[part::4]:
                Jobs(Api(connection), jobs.namespace).submit(name, idempotencyKey="order-4711")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(submit, range(4)))
    ends = {name: jobs.wait_until_over(name) for name in names}
    (first,) = [name for name, end in ends.items() if end["phase"] == "Succeeded"]
    others = [end for name, end in ends.items() if name != first]
    assert {(end["phase"], end["reason"], end["duplicateOf"]) for end in others} == {("Skipped", "Duplicate", first)}
    assert [len(jobs.pods(name)) for name in names if name != first] == [0] * 19

    lease = key_lease_name(namespace=jobs.namespace, key="order-4711")
    for name in names:
        api.delete("BatchJob", jobs.namespace, name).expect()
    until = time.monotonic() + 30
    while "renewTime" not in api.get("Lease", "podwright-system", lease).expect()["spec"]:
        assert time.monotonic() < until, "the end of the job that is gone is not on record"
        time.sleep(0.1)
    jobs.submit("again", idempotencyKey="order-4711")
    again = jobs.wait_until_over("again")
    assert (again["phase"], again["duplicateOf"]) == ("Skipped", first)
    assert not jobs.pods("again")
