"""Work that was done although the pod failed."""

from typing import Any

import msgspec
import pytest

from podwright.core.attempt.completion import left_running, work_is_done
from podwright.core.model.job import JobView
from podwright.core.model.pod import FailedContainer, PodPhase
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet
from tests.support.builders import make_job, make_pod

MAIN = FailedContainer("main", 1, "", "Error")
PROXY = FailedContainer("proxy", 137, "SIGKILL", "Error")
LOST = FailedContainer("proxy", None, "", "ContainerStatusUnknown")
LIMITED = make_job(attempt_timeout=30.0)
OWN_LIMIT = make_job(
    template=msgspec.json.encode({"spec": {"containers": [{"name": "main"}], "activeDeadlineSeconds": 30}})
)
PACKED = make_job(array=ArraySpec(size=4, parallelism=4, tasks=IndexSet.up_to(4), pack=2))


@pytest.mark.parametrize(
    ("job", "pod", "want"),
    [
        pytest.param(LIMITED, {"failed": (PROXY,), "reason": "Error"}, True, id="B28 a proxy failed beside it"),
        pytest.param(LIMITED, {"failed": (PROXY,), "reason": "DeadlineExceeded"}, True, id="B28 a proxy ran on"),
        pytest.param(
            OWN_LIMIT, {"failed": (PROXY,), "reason": "DeadlineExceeded"}, True, id="B28 the template's limit"
        ),
        pytest.param(
            LIMITED,
            {"failed": (PROXY,), "reason": "DeadlineExceeded", "completed": 130.0},
            False,
            id="B28 the work ended with 0 because it was told to",
        ),
        pytest.param(LIMITED, {"failed": (MAIN, PROXY)}, False, id="B28 the work failed"),
        pytest.param(LIMITED, {"failed": (PROXY,), "completed": None}, False, id="B28 nothing ended well"),
        pytest.param(LIMITED, {"failed": (LOST,)}, False, id="B28 nobody knows how it ended"),
        pytest.param(LIMITED, {"failed": (PROXY,), "running_on": ("main",)}, False, id="B28 the work runs on"),
        pytest.param(LIMITED, {"failed": (PROXY,), "deletion_requested": 120.0}, False, id="B28 deleted"),
        pytest.param(LIMITED, {"failed": (PROXY,), "disruption": "EvictionByEvictionAPI"}, False, id="B28 evicted"),
        pytest.param(PACKED, {"failed": (PROXY,)}, False, id="B28 a pack tells itself"),
        pytest.param(make_job(template=b"{}"), {"failed": (PROXY,)}, False, id="B28 no template"),
        pytest.param(LIMITED, {"failed": ()}, False, id="B28 nothing failed"),
        pytest.param(
            LIMITED, {"reason": "DeadlineExceeded"}, True, id="it ended before the kubelet failed it at its limit"
        ),
        pytest.param(
            LIMITED,
            {"reason": "DeadlineExceeded", "completed": 130.0},
            False,
            id="it ended with 0 when its time was up",
        ),
        pytest.param(LIMITED, {"reason": "DeadlineExceeded", "completed": None}, False, id="it never ran"),
        pytest.param(
            LIMITED, {"reason": "DeadlineExceeded", "deletion_requested": 105.0}, False, id="it ended as it was deleted"
        ),
    ],
)
def test_work_is_done(job: JobView, pod: dict[str, Any], want: bool) -> None:
    fields = {"phase": PodPhase.FAILED, "node": "n", "started": 100.0, "completed": 110.0, "ended": 131.0, **pod}
    assert work_is_done(job=job, pod=make_pod(job, **fields)) is want


TWO = make_job(template=msgspec.json.encode({"spec": {"containers": [{"name": "main"}, {"name": "proxy"}]}}))
MANY = tuple(f"log-shipper-{number}" for number in range(6))


@pytest.mark.parametrize(
    ("job", "pod", "want"),
    [
        pytest.param(
            make_job(),
            {},
            ("container main ended with exit code 0; container proxy still runs", True),
            id="B28 an injected one",
        ),
        pytest.param(
            TWO,
            {},
            ("container main ended with exit code 0; container proxy still runs", False),
            id="B28 the template's own",
        ),
        pytest.param(
            TWO,
            {"running_on": ("mesh",)},
            ("containers main and proxy ended with exit code 0; container mesh still runs", True),
            id="B28 two ended",
        ),
        pytest.param(
            make_job(),
            {"running_on": MANY},
            (
                "container main ended with exit code 0; containers log-shipper-0 and log-shipper-1 and log-shipper-2 and 3 more"
                " still run",
                True,
            ),
            id="B28 many",
        ),
        pytest.param(make_job(), {"running_on": ("main",)}, None, id="B28 the work runs on"),
        pytest.param(make_job(), {"failed": (PROXY,)}, None, id="B28 one failed"),
        pytest.param(make_job(), {"containers_started": None}, None, id="B28 one hasn't begun"),
        pytest.param(make_job(), {"completed": None, "running_on": ()}, None, id="B28 all run"),
        pytest.param(make_job(template=b"{}"), {}, None, id="B28 no template"),
    ],
)
def test_what_keeps_a_pod_running(job: JobView, pod: dict[str, Any], want: tuple[str, bool] | None) -> None:
    fields = {"phase": PodPhase.RUNNING, "node": "n", "started": 100.0, "containers_started": 100.0, "completed": 110.0}
    left = left_running(job=job, pod=make_pod(job, **{**fields, "running_on": ("proxy",), **pod}))
    assert (left if left is None else (left.message, left.injected)) == want
