"""The admission policies on the real API server: each with what it refuses, in its words, and what it lets pass."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from podwright.core.constants import names
from podwright.kube.errors import StatusError
from tests.cluster.api import OPERATOR, STRATEGIC, Api
from tests.cluster.manifests import make_job, make_lease, make_pod

if TYPE_CHECKING:
    from collections.abc import Callable

SYSTEM = "podwright-system"
FENCE = "podwright fence:"


def fenced_pod(namespace: str, *, epoch: int | str, name: str = "pod", shard: str = "0") -> dict[str, Any]:
    """A pod as the operator makes it."""
    return make_pod(
        namespace=namespace,
        name=name,
        labels={names.LABEL_SHARD: shard, names.LABEL_JOB_UID: "uid", names.LABEL_JOB: "job", names.LABEL_ATTEMPT: "0"},
        annotations={names.ANNOTATION_EPOCH: str(epoch)},
        finalizers=[names.FINALIZER],
    )


def eventually(condition: Callable[[], bool]) -> None:
    """The API server learns of a Lease through a watch of its own: within milliseconds, but not at once."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def operator(api: Api) -> Api:
    return api.acting_as(OPERATOR)


def begin_epoch(epoch: int, *, api: Api, operator: Api, namespace: str, shard: str) -> None:
    """Make the shard's Lease, and return once the API server compares pods with it."""
    api.create(make_lease(name=shard, epoch=epoch)).expect()
    eventually(lambda: operator.create(fenced_pod(namespace, epoch=epoch), dry_run=True).ok)


class TestFence:
    def test_the_present_epoch_passes_and_any_other_is_refused(
        self, api: Api, operator: Api, namespace: str, shard: str
    ) -> None:
        begin_epoch(7, api=api, operator=operator, namespace=namespace, shard=shard)
        for stale in ("6", "8", "07", "", "none"):
            answer = operator.create(fenced_pod(namespace, epoch=stale))
            assert answer.status == 403
            assert answer.body["reason"] == "Forbidden"
            assert (
                f"{FENCE} the pod carries epoch {stale}, but Lease {shard} is at epoch 7: another operator leads"
                in answer.message
            )
            assert StatusError(code=answer.status, reason="", message=answer.message).proves_fence

    def test_a_new_epoch_shuts_out_the_former_leader(self, api: Api, operator: Api, namespace: str, shard: str) -> None:
        begin_epoch(1, api=api, operator=operator, namespace=namespace, shard=shard)
        api.patch("Lease", SYSTEM, shard, {"spec": {"leaseTransitions": 2}}).expect()
        eventually(lambda: not operator.create(fenced_pod(namespace, epoch=1), dry_run=True).ok)
        operator.create(fenced_pod(namespace, epoch=2)).expect()

    def test_a_pod_without_epoch_is_refused(self, api: Api, operator: Api, namespace: str, shard: str) -> None:
        begin_epoch(1, api=api, operator=operator, namespace=namespace, shard=shard)
        pod = fenced_pod(namespace, epoch=1)
        del pod["metadata"]["annotations"]
        assert f"{FENCE} the pod carries epoch none" in operator.create(pod).message

    def test_without_lease_nothing_passes(self, api: Api, operator: Api, namespace: str, shard: str) -> None:
        answer = operator.create(fenced_pod(namespace, epoch=0))
        # Code and words are the API server's own here; only the policy's name tells that it was the fence.
        assert answer.status == 422
        assert "ValidatingAdmissionPolicy 'podwright-fence' with binding 'podwright-fence-0' denied" in answer.message
        assert "no params found" in answer.message
        assert StatusError(code=answer.status, reason="", message=answer.message).fenced
        begin_epoch(3, api=api, operator=operator, namespace=namespace, shard=shard)
        api.delete("Lease", SYSTEM, shard).expect()
        eventually(lambda: not operator.create(fenced_pod(namespace, epoch=3), dry_run=True).ok)

    @pytest.mark.parametrize("has_spec", [True, False])
    def test_a_lease_that_never_had_a_holder_lets_nothing_pass(
        self, api: Api, operator: Api, namespace: str, shard: str, has_spec: bool
    ) -> None:
        lease = make_lease(name=shard, epoch=None)
        if not has_spec:
            del lease["spec"]
        api.create(lease).expect()
        for written in ("0", "none", "", "null"):
            pod = fenced_pod(namespace, epoch=written)
            eventually(lambda pod=pod: f"Lease {shard} is at no epoch" in operator.create(pod).words)  # type: ignore[misc]  # a bound loop variable

    def test_only_creation_is_fenced(self, api: Api, operator: Api, namespace: str, shard: str) -> None:
        """A new leader accounts for the pods of the former one, whose epoch is old."""
        api.create(make_lease(name=shard, epoch=1)).expect()
        eventually(lambda: operator.create(fenced_pod(namespace, epoch=1, name="probe"), dry_run=True).ok)
        operator.create(fenced_pod(namespace, epoch=1)).expect()
        api.patch("Lease", SYSTEM, shard, {"spec": {"leaseTransitions": 2}}).expect()
        eventually(lambda: not operator.create(fenced_pod(namespace, epoch=1, name="probe"), dry_run=True).ok)
        release = {"metadata": {"$deleteFromPrimitiveList/finalizers": [names.FINALIZER]}}
        released = operator.patch("Pod", namespace, "pod", release, content_type=STRATEGIC).expect()
        assert "finalizers" not in released["metadata"]


class TestShardLabel:
    @pytest.mark.parametrize("shard_label", [None, "1", "00", ""])
    def test_no_pod_of_the_operator_escapes_the_bindings(
        self, operator: Api, shared_namespace: str, shard_label: str | None
    ) -> None:
        pod = fenced_pod(shared_namespace, epoch=1, shard=shard_label or "")
        if shard_label is None:
            del pod["metadata"]["labels"][names.LABEL_SHARD]
        answer = operator.create(pod)
        assert answer.status == 403
        shown = "none" if shard_label is None else shard_label
        assert f"{FENCE} the pod is of shard {shown}, for which no ValidatingAdmissionPolicyBinding" in answer.message


class TestManagedPods:
    RESERVED = (names.LABEL_JOB, names.LABEL_JOB_UID, names.LABEL_TASK_INDEX, names.LABEL_ATTEMPT, names.LABEL_SHARD)

    @pytest.mark.parametrize("label", RESERVED)
    def test_others_cannot_create_pods_with_our_labels(
        self, api: Api, shared_namespace: str, shard: str, label: str
    ) -> None:
        pod = make_pod(namespace=shared_namespace, labels={label: "0"})
        # A missing Lease is complained of first, whoever creates a pod with its shard's label.
        api.create(make_lease(name=shard, epoch=1)).expect()
        eventually(lambda: "no params found" not in api.create(pod).words)
        answer = api.create(pod)
        assert answer.status == 403
        assert "podwright: the labels podwright.dev/job, podwright.dev/job-uid" in answer.message
        assert "are set by the operator alone" in answer.message

    def test_others_cannot_create_pods_with_our_finalizer(self, api: Api, shared_namespace: str) -> None:
        answer = api.create(make_pod(namespace=shared_namespace, finalizers=[names.FINALIZER]))
        assert answer.status == 403
        assert "podwright: finalizer podwright.dev/accounting is set by the operator alone" in answer.message

    @pytest.mark.parametrize("label", RESERVED)
    def test_others_cannot_set_our_labels_later(self, api: Api, namespace: str, label: str) -> None:
        api.create(make_pod(namespace=namespace)).expect()
        answer = api.patch("Pod", namespace, "pod", {"metadata": {"labels": {label: "0"}}})
        assert "podwright: the labels" in answer.message

    def test_others_cannot_set_our_finalizer_later(self, api: Api, namespace: str) -> None:
        api.create(make_pod(namespace=namespace)).expect()
        answer = api.patch("Pod", namespace, "pod", {"metadata": {"finalizers": [names.FINALIZER]}})
        assert "podwright: finalizer" in answer.message

    def test_others_can_free_a_pod_of_ours_but_not_relabel_it(
        self, api: Api, operator: Api, namespace: str, shard: str
    ) -> None:
        begin_epoch(1, api=api, operator=operator, namespace=namespace, shard=shard)
        operator.create(fenced_pod(namespace, epoch=1)).expect()
        for change in ({names.LABEL_JOB_UID: None}, {names.LABEL_JOB_UID: "other"}):
            assert (
                "podwright: the labels" in api.patch("Pod", namespace, "pod", {"metadata": {"labels": change}}).message
            )
        api.patch("Pod", namespace, "pod", {"metadata": {"labels": {"mine": "x"}}}).expect()
        freed = api.patch("Pod", namespace, "pod", {"metadata": {"finalizers": None}}).expect()
        assert "finalizers" not in freed["metadata"]

    def test_marks_cannot_be_changed_with_the_status_either(
        self, api: Api, operator: Api, namespace: str, shard: str
    ) -> None:
        begin_epoch(1, api=api, operator=operator, namespace=namespace, shard=shard)
        operator.create(fenced_pod(namespace, epoch=1)).expect()
        for change in ({names.LABEL_JOB_UID: None}, {names.LABEL_JOB_UID: "other"}):
            answer = api.patch("Pod", namespace, "pod", {"metadata": {"labels": change}}, subresource="status")
            assert "podwright: the labels" in answer.message
        api.patch("Pod", namespace, "pod", {"status": {"phase": "Running"}}, subresource="status").expect()
        api.create(make_pod(namespace=namespace, name="other")).expect()
        held = {"metadata": {"finalizers": [names.FINALIZER]}, "status": {"phase": "Running"}}
        assert "podwright: finalizer" in api.patch("Pod", namespace, "other", held, subresource="status").message

    def test_other_pods_are_left_alone(self, api: Api, namespace: str) -> None:
        labels = {"app": "x", "example.org/shard": "0"}
        api.create(make_pod(namespace=namespace, labels=labels, finalizers=["example.org/own"])).expect()
        api.patch("Pod", namespace, "pod", {"metadata": {"labels": {"more": "y"}, "finalizers": None}}).expect()
        bare = make_pod(namespace=namespace, name="bare")
        for field in ("labels", "annotations", "finalizers"):
            del bare["metadata"][field]
        api.create(bare).expect()
        api.delete("Pod", namespace, "bare").expect()


class TestStatus:
    def test_only_the_operator_writes_status(self, api: Api, operator: Api, namespace: str) -> None:
        api.create(make_job(namespace=namespace)).expect()
        status = {"status": {"observedGeneration": 1, "phase": "Pending"}}
        answer = api.patch("BatchJob", namespace, "job", status, subresource="status")
        assert answer.status == 403
        assert (
            "podwright: status is written by the operator alone (service account podwright-operator" in answer.message
        )
        written = operator.patch("BatchJob", namespace, "job", status, subresource="status").expect()
        assert written["status"]["phase"] == "Pending"

    def test_status_in_other_requests_is_ignored(self, api: Api, namespace: str) -> None:
        job = make_job(namespace=namespace) | {"status": {"observedGeneration": 1, "phase": "Failed"}}
        at_first = {"observedGeneration": -1, "phase": "Pending", "attemptCount": 0}
        assert api.create(job).expect()["status"] == at_first
        changed = api.patch("BatchJob", namespace, "job", {"spec": {"priority": 1}, "status": {"phase": "Failed"}})
        assert changed.expect()["status"] == at_first


class TestManagedFields:
    def test_the_operators_pods_have_none_and_get_none(
        self, api: Api, operator: Api, namespace: str, shard: str
    ) -> None:
        begin_epoch(1, api=api, operator=operator, namespace=namespace, shard=shard)
        created = operator.create(fenced_pod(namespace, epoch=1)).expect()
        assert "managedFields" not in created["metadata"]
        api.patch("Pod", namespace, "pod", {"metadata": {"annotations": {"team": "finance"}}}).expect()
        assert "managedFields" not in api.get("Pod", namespace, "pod").expect()["metadata"]

    def test_those_of_others_keep_theirs(self, api: Api, namespace: str) -> None:
        created = api.create(make_pod(namespace=namespace)).expect()
        assert created["metadata"]["managedFields"]


class TestJobs:
    def test_l15_jobs_in_the_operators_namespace_are_refused(self, api: Api) -> None:
        answer = api.create(make_job(namespace=SYSTEM))
        assert "podwright: jobs can't run in the operator's own namespace" in answer.message

    @pytest.mark.parametrize(
        "spec",
        [
            pytest.param({"array": {"items": [f"{n:0148}" for n in range(9900)]}}, id="K4 items"),
            pytest.param(
                {
                    "template": {
                        "spec": {"containers": [{"name": "main", "image": "busybox:1", "args": ["x" * 27_000] * 10}]}
                    }
                },
                id="L4 template",
            ),
            pytest.param(
                {
                    "template": {
                        "spec": {"containers": [{"name": "main", "image": "busybox:1", "args": ["<" * 50_000]}]}
                    }
                },
                id="L4 letters that are stored as six bytes each",
            ),
            pytest.param(
                {
                    "template": {
                        "spec": {"containers": [{"name": "main", "image": "busybox:1", "args": ["\x01" * 70_000]}]}
                    }
                },
                id="L4 control characters, which take four to six",
            ),
        ],
    )
    def test_a_job_that_leaves_no_room_for_its_status_is_refused(
        self, api: Api, shared_namespace: str, spec: dict[str, Any]
    ) -> None:
        answer = api.create(make_job(namespace=shared_namespace, name="large", **spec))
        assert "podwright: the job is too large" in answer.message

    @pytest.mark.parametrize(
        "metadata",
        [
            pytest.param({"finalizers": [f"example.com/{'f' * 40}{n:05}" for n in range(5_000)]}, id="finalizers"),
            pytest.param(
                {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "uid": "u", "name": "x" * 270_000}]},
                id="owner references",
            ),
        ],
    )
    def test_metadata_that_leaves_no_room_for_the_status_is_refused(
        self, api: Api, shared_namespace: str, metadata: dict[str, Any]
    ) -> None:
        job = make_job(namespace=shared_namespace, name="much-metadata")
        answer = api.create({**job, "metadata": {**job["metadata"], **metadata}})
        assert "podwright: the job is too large" in answer.message

    def test_what_metadata_a_job_has_can_be_taken_off_a_large_one(self, api: Api, namespace: str) -> None:
        job = make_job(namespace=namespace)
        job["metadata"]["finalizers"] = ["example.com/hold"]
        api.create(job).expect()
        freed = api.patch("BatchJob", namespace, "job", {"metadata": {"finalizers": None}}).expect()
        assert "finalizers" not in freed["metadata"]

    def test_l4_a_job_cannot_grow_too_large_later(self, api: Api, namespace: str) -> None:
        arguments = ["x" * 20_000] * 10
        template = {"spec": {"containers": [{"name": "main", "image": "busybox:1", "args": arguments}]}}
        api.create(make_job(namespace=namespace, template=template)).expect()
        grown = api.patch("BatchJob", namespace, "job", {"metadata": {"annotations": {"a": "<" * 20_000}}})
        assert "podwright: the job is too large" in grown.message
        api.patch(
            "BatchJob", namespace, "job", {"metadata": {"annotations": {"a": "x"}}, "spec": {"cancel": "Graceful"}}
        ).expect()

    def test_b39_what_only_the_copy_of_kubectl_apply_makes_too_large_is_told_the_way_out(
        self, api: Api, shared_namespace: str
    ) -> None:
        items = [f"{n:014}" for n in range(9_000)]  # 144 kB, as they are counted and in the copy
        job = make_job(namespace=shared_namespace, name="applied", array={"items": items})
        copy = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(job, separators=(",", ":"))}
        answer = api.create({**job, "metadata": {**job["metadata"], "annotations": copy}})
        assert "use kubectl create, kubectl apply --server-side or podwright submit" in answer.message
        api.create(job).expect()

    def test_k4_ten_thousand_items_of_twenty_letters_are_accepted(self, api: Api, shared_namespace: str) -> None:
        items = [f"{n:020}" for n in range(10_000)]
        api.create(make_job(namespace=shared_namespace, name="items", array={"items": items})).expect()
