import datetime
import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.commands import CreateChild, Delete, Release, WriteStatus
from podwright.core.job.pod.attempt_pod import AttemptPod
from podwright.core.model.array import ArrayRecord, FailureOnNode, RetryGroup
from podwright.core.model.attempt import Attempt, Budget, Outcome
from podwright.core.model.job import Condition, JobStatus, JobView
from podwright.core.model.phase import Phase
from podwright.core.values.index_set import IndexSet
from podwright.core.values.ref import JOB, POD, Ref
from podwright.kube.codecs import requests as encode
from podwright.kube.codecs.page import JOBS
from podwright.kube.codecs.status_encoding import status_fields
from tests.unit.kube.objects import dumps, job_json

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
TIMES = st.integers(0, 253_402_300_799_999).map(lambda milliseconds: milliseconds / 1000)
COUNTS = st.integers(0, 2**31 - 1)
ATTEMPTS = st.builds(
    Attempt,
    number=COUNTS,
    pod_name=TEXTS,
    pod_uid=TEXTS,
    node=TEXTS,
    started=st.none() | TIMES,
    ended=st.none() | TIMES,
    outcome=st.none() | st.sampled_from(Outcome),
    exit_code=st.none() | st.integers(-(2**31), 2**31 - 1),
    reason=TEXTS,
    message=TEXTS,
)
CONDITIONS = st.builds(
    Condition, type=TEXTS, status=st.booleans(), reason=TEXTS, message=TEXTS, since=TIMES, observed_generation=COUNTS
)
STATUSES = st.builds(
    JobStatus,
    observed_generation=st.integers(-1, 2**31 - 1),
    phase=st.none() | st.sampled_from(Phase),
    reason=TEXTS,
    message=TEXTS,
    started=st.none() | TIMES,
    finished=st.none() | TIMES,
    next_attempt=st.none() | TIMES,
    attempt_count=COUNTS,
    failed_count=COUNTS,
    progress=TEXTS,
    attempts=st.lists(ATTEMPTS, max_size=3).map(tuple),
    conditions=st.lists(CONDITIONS, max_size=3).map(tuple),
)

INDEXES = st.frozensets(st.integers(0, 30)).map(IndexSet.of)
GROUPS = st.lists(
    st.builds(
        RetryGroup,
        indexes=st.frozensets(st.integers(0, 30), min_size=1).map(IndexSet.of),
        attempts=COUNTS,
        failed=COUNTS,
        platform=COUNTS,
        timeouts=COUNTS,
        out_of_memory=COUNTS,
        lost_nodes=COUNTS,
        due=st.none() | TIMES,
    ),
    max_size=3,
).map(tuple)
RUNNING = INDEXES.flatmap(lambda running: st.tuples(st.just(running), st.just(0) if running else st.integers(0, 3000)))
RECORDS = st.builds(
    lambda running, **others: ArrayRecord(running=running[0], running_unlisted=running[1], **others),
    succeeded=INDEXES,
    failed=INDEXES,
    skipped=INDEXES,
    running=RUNNING,
    started=INDEXES,
    retries=GROUPS,
    task_failures=GROUPS,
    given_up=COUNTS,
    lost_nodes=st.lists(TEXTS, max_size=2).map(tuple),
    node_failures=st.lists(
        st.builds(FailureOnNode, node=TEXTS, reason=TEXTS, exit_code=st.none() | st.integers(0, 255)), max_size=2
    ).map(tuple),
)
OUTPUTS = st.dictionaries(TEXTS, st.booleans() | TEXTS | st.lists(TEXTS, max_size=2), max_size=3)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def write(status: JobStatus) -> encode.ApiRequest:
    return encode.write_status(
        WriteStatus(of=Ref(JOB, "u"), namespace="team-a", name="job", resource_version=42, status=status)
    )


@given(STATUSES, STATUSES)
def test_what_is_written_is_what_is_read(before: JobStatus, status: JobStatus) -> None:
    stored = merge_patch(job_json(), json.loads(write(before).body or b""))
    stored = merge_patch(stored, json.loads(write(status).body or b""))
    view = JOBS.item(dumps(stored))
    assert isinstance(view, JobView)
    assert view.status == status


@given(
    before=st.none() | RECORDS,
    record=RECORDS,
    outputs=OUTPUTS,
    counts=st.tuples(COUNTS, COUNTS, COUNTS, COUNTS),
    budget=st.none() | st.sampled_from(Budget),
    data=st.data(),
)
def test_what_only_some_jobs_have_is_read_as_well(
    before: ArrayRecord | None,
    record: ArrayRecord,
    outputs: dict[str, Any],
    counts: tuple[int, int, int, int],
    budget: Budget | None,
    data: st.DataObject,
) -> None:
    status = JobStatus(
        platform_failed_count=counts[0],
        timeout_count=counts[1],
        out_of_memory_count=counts[2],
        lost_node_count=counts[3],
        attempts=(msgspec.structs.replace(data.draw(ATTEMPTS), index=3, budget=budget),),
        array=record,
        outputs=dumps(outputs).decode(),
        artifacts=(("model", "s3://bucket/key"), ("log", "https://host/x")),
        duplicate_of="other",
    )
    stored = merge_patch(job_json(), json.loads(write(JobStatus(array=before)).body or b""))
    stored = merge_patch(stored, json.loads(write(status).body or b""))
    view = JOBS.item(dumps(stored))
    assert isinstance(view, JobView), view
    assert json.loads(view.status.outputs) == outputs
    assert msgspec.structs.replace(view.status, outputs=status.outputs) == status


def test_status_is_written_under_uid_and_version() -> None:
    request = write(JobStatus(observed_generation=1, phase=Phase.PENDING, reason="Created", progress="0/1"))
    assert request.method == "PATCH"
    assert request.path == "/apis/podwright.dev/v1alpha1/namespaces/team-a/batchjobs/job/status"
    assert request.content_type == "application/merge-patch+json"
    assert request.accept == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    assert json.loads(request.body or b"") == {
        "metadata": {"uid": "u", "resourceVersion": "42"},
        "status": {
            "observedGeneration": 1,
            "phase": "Pending",
            "reason": "Created",
            "message": None,
            "startTime": None,
            "finishTime": None,
            "nextAttemptTime": None,
            "stop": None,
            "attemptCount": 0,
            "failedCount": 0,
            "progress": "0/1",
            "attempts": [],
            "conditions": [],
        },
    }


def test_attempts_and_conditions_hold_no_nulls() -> None:
    status = JobStatus(
        attempts=(Attempt(number=0, pod_name="p", started=1.5),),
        conditions=(Condition(type="Ready", status=False, reason="R", message="", since=0.0, observed_generation=3),),
    )
    assert status_fields(status)["attempts"] == [{"number": 0, "podName": "p", "startTime": "1970-01-01T00:00:01.500Z"}]
    assert status_fields(status)["conditions"] == [
        {
            "type": "Ready",
            "status": "False",
            "reason": "R",
            "message": "",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
            "observedGeneration": 3,
        }
    ]


def test_create_pod() -> None:
    command = CreateChild(
        of=Ref(JOB, "u"),
        kind=POD,
        namespace="team-a",
        name="job-0123456789-0",
        spec=AttemptPod(task_index=0, attempt=0),
    )
    request = encode.create_pod(command, body=b"{}")
    assert (request.method, request.path, request.body) == ("POST", "/api/v1/namespaces/team-a/pods", b"{}")
    assert request.content_type == "application/json"
    assert request.accept == encode.METADATA_ONLY


def test_release_pod_leaves_other_finalizers_alone() -> None:
    request = encode.release_pod(Release(of=Ref(JOB, "u"), target=Ref(POD, "pu"), namespace="team-a", name="p"))
    assert (request.method, request.path) == ("PATCH", "/api/v1/namespaces/team-a/pods/p")
    assert request.content_type == "application/strategic-merge-patch+json"
    assert json.loads(request.body or b"") == {
        "metadata": {
            "uid": "pu",
            "managedFields": [{}],
            "$deleteFromPrimitiveList/finalizers": ["podwright.dev/accounting"],
        }
    }


def test_delete_pod() -> None:
    command = Delete(of=Ref(JOB, "u"), target=Ref(POD, "pu"), namespace="team-a", name="p")
    request = encode.delete_pod(command)
    assert (request.method, request.path) == ("DELETE", "/api/v1/namespaces/team-a/pods/p")
    assert request.accept == "application/json"
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "pu"}}
    assert json.loads(request.body or b"") == options
    hurried = encode.delete_pod(msgspec.structs.replace(command, grace=1))
    assert json.loads(hurried.body or b"") == {**options, "gracePeriodSeconds": 1}


def test_delete_job() -> None:
    request = encode.delete_job(
        Delete(of=Ref(JOB, "u"), target=Ref(JOB, "u"), namespace="team-a", name="job", resource_version=9)
    )
    assert (request.method, request.path) == ("DELETE", "/apis/podwright.dev/v1alpha1/namespaces/team-a/batchjobs/job")
    assert json.loads(request.body or b"") == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "u", "resourceVersion": "9"},
        "propagationPolicy": "Background",
    }


def test_reads() -> None:
    assert encode.get_pod(namespace="a", name="p").path == "/api/v1/namespaces/a/pods/p"
    assert encode.get_job(namespace="a", name="j").path == "/apis/podwright.dev/v1alpha1/namespaces/a/batchjobs/j"
    assert (encode.pods_path(), encode.jobs_path()) == ("/api/v1/pods", "/apis/podwright.dev/v1alpha1/batchjobs")


def test_times_are_rfc_3339() -> None:
    text = status_fields(JobStatus(started=1_700_000_000.25))["startTime"]
    assert datetime.datetime.fromisoformat(text).timestamp() == 1_700_000_000.25


def test_k10_no_node_is_made_up_for_a_pod_that_nobody_has_seen() -> None:
    lost = Attempt(number=0, pod_name="p", node="unknown", outcome=Outcome.LOST, reason="PodLost")
    (told,) = status_fields(JobStatus(attempts=(lost,)))["attempts"]
    assert "node" not in told
    ran = msgspec.structs.replace(lost, started=5.0)
    (told,) = status_fields(JobStatus(attempts=(ran,)))["attempts"]
    assert told["node"] == "unknown"
