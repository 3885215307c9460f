"""What a user is told who submits or changes a BatchJob in a way that makes no sense, beyond single fields."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from podwright.api.batchjob import BatchJobSpec
from tests.cluster.manifests import make_job
from tests.support.specs import ACCEPTED, REFUSED, container, metadata, pod

if TYPE_CHECKING:
    from pathlib import Path

    from podwright.devcluster import EmbeddedCluster
    from tests.cluster.api import Answer, Api

IMMUTABLE = "Invalid value: is immutable: delete the job, or create another one under a new name"


def refusal(answer: Answer) -> str:
    assert answer.status == 422, answer
    return answer.message


@pytest.mark.parametrize(("spec", "field", "words"), REFUSED)
def test_a_senseless_job_is_refused(api: Api, spec: dict[str, Any], field: str, words: str) -> None:
    message = refusal(api.create(make_job(namespace="default", **spec), dry_run=True))
    assert f"{field}: " in message
    assert words in message
    # A rule that can't be evaluated would tell its own troubles instead of the user's.
    assert "rule evaluation" not in message
    assert "no such" not in message


def test_a_name_must_fit_into_a_label(api: Api) -> None:
    api.create(make_job(namespace="default", name="x" * 63), dry_run=True).expect()
    message = refusal(api.create(make_job(namespace="default", name="x" * 64), dry_run=True))
    assert "metadata.name: Too long: may not be more than 63 bytes" in message


@pytest.mark.parametrize("spec", ACCEPTED)
def test_unusual_but_sensible_jobs_are_accepted(api: Api, spec: dict[str, Any]) -> None:
    api.create(make_job(namespace="default", **spec), dry_run=True).expect()


def test_defaults_are_filled_in(api: Api) -> None:
    created = api.create(make_job(namespace="default"), dry_run=True).expect()
    assert created["spec"] == {
        "priority": 0,
        "retry": {"limit": 3, "factor": 2, "platformLimit": 10},
        "onExhausted": "DeadLetter",
        "deliveryMode": "AtLeastOnce",
        "suspend": False,
        "template": {"spec": {"containers": [{"name": "main", "image": "busybox:1"}]}},
    }
    assert created["status"] == {"observedGeneration": -1, "phase": "Pending", "attemptCount": 0}
    partly = api.create(make_job(namespace="default", retry={"limit": 1}), dry_run=True).expect()
    assert partly["spec"]["retry"] == {"limit": 1, "factor": 2, "platformLimit": 10}


def test_unknown_fields_of_the_pod_are_kept(api: Api) -> None:
    unknown = {"deep": [{"down": 1}]}
    fields = {
        "unknown": unknown,
        "affinity": {"nodeAffinity": unknown, "unknown": unknown},
        "securityContext": {"unknown": unknown},
        "tolerations": [{"unknown": unknown}],
        "volumes": [{"name": "v", "unknown": unknown, "projected": unknown}],
        "containers": [
            {
                "name": "main",
                "image": "x",
                "unknown": unknown,
                "env": [{"name": "A", "valueFrom": {"unknown": unknown}}],
                "resources": {"unknown": unknown},
            }
        ],
    }
    created = api.create(make_job(namespace="default", **pod(**fields)), dry_run=True).expect()
    assert {key: created["spec"]["template"]["spec"][key] for key in fields} == fields


def test_unknown_fields_of_ours_are_reported(api: Api) -> None:
    job = make_job(namespace="default", retries=3)
    path = "/apis/podwright.dev/v1alpha1/namespaces/default/batchjobs"
    answer = api.request("POST", path, job, query={"dryRun": "All", "fieldValidation": "Strict"})
    assert 'unknown field "spec.retries"' in answer.message


class TestChanges:
    @pytest.fixture
    def change(self, api: Api, namespace: str) -> Any:
        """Create a job of this spec, then try a change of the spec."""

        def attempt(before: dict[str, Any], after: dict[str, Any]) -> Answer:
            api.create(make_job(namespace=namespace, **before)).expect()
            return api.patch("BatchJob", namespace, "job", {"spec": after})

        return attempt

    @pytest.mark.parametrize(
        ("after", "field"),
        [
            ({"retry": {"limit": 4}}, "spec.retry"),
            ({"retry": {"initial": "11s"}}, "spec.retry"),
            ({"retry": {"factor": 3}}, "spec.retry"),
            ({"retry": {"max": "7m"}}, "spec.retry"),
            ({"retry": None}, None),
        ],
    )
    def test_retry_is_immutable(self, change: Any, after: dict[str, Any], field: str | None) -> None:
        answer = change({}, after)
        if field is None:
            answer.expect()  # removing the defaults brings them back, so nothing changes
        else:
            assert f"{field}: {IMMUTABLE}" in refusal(answer)

    @pytest.mark.parametrize(
        "after",
        [
            container(image="other"),
            container(args=["x"]),
            pod(unknown={"a": 1}),
            pod(affinity={"nodeAffinity": {"a": 1}}),
            metadata(labels={"a": "b"}),
        ],
    )
    def test_the_template_is_immutable(self, change: Any, after: dict[str, Any]) -> None:
        """By the policy `podwright-immutable-fields`, not by the CRD."""
        message = refusal(change({}, after))
        assert (
            "podwright: spec.template is immutable: delete the job, or create another one under a new name" in message
        )

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ({"array": {"size": 2}}, {"array": {"size": 3}}),
            ({"array": {"size": 2}}, {"array": None}),
            ({}, {"array": {"size": 1}}),
            ({"array": {"items": ["a"]}}, {"array": {"items": ["b"]}}),
            ({"array": {"size": 2}}, {"array": {"pack": 2}}),
            ({"array": {"size": 2}}, {"array": {"indexes": "0"}}),
        ],
    )
    def test_the_tasks_of_an_array_are_immutable(
        self, change: Any, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        message = refusal(change(before, after))
        assert "podwright: spec.array is immutable but for parallelism and maxFailedTasks" in message

    def test_how_fast_an_array_goes_may_change(self, change: Any) -> None:
        after = {"array": {"parallelism": 7, "maxFailedTasks": "3%"}}
        assert change({"array": {"size": 2}}, after).expect()["spec"]["array"]["parallelism"] == 7

    @pytest.mark.parametrize(
        "after",
        [
            {"failurePolicy": {"sameFailureNodes": 2}},
            {"deliveryMode": "AtMostOnce"},
            {"idempotencyKey": "k"},
            {"dedupWindow": "1h"},
            {"dependsOn": [{"name": "other"}]},
        ],
    )
    def test_what_must_not_change_under_a_running_job(self, change: Any, after: dict[str, Any]) -> None:
        message = refusal(change({}, after))
        assert "deliveryMode, idempotencyKey, dedupWindow and dependsOn are immutable" in message

    @pytest.mark.parametrize("value", ["Graceful", "Immediate"])
    def test_cancelling_is_always_possible(self, change: Any, value: str) -> None:
        assert change({"suspend": True}, {"cancel": value}).expect()["spec"]["cancel"] == value

    def test_a_graceful_cancellation_may_become_immediate(self, change: Any) -> None:
        change({"cancel": "Graceful"}, {"cancel": "Immediate"}).expect()

    @pytest.mark.parametrize(("before", "after"), [("Graceful", None), ("Immediate", None), ("Immediate", "Graceful")])
    def test_a_cancellation_cannot_be_taken_back(self, change: Any, before: str, after: str | None) -> None:
        message = refusal(change({"cancel": before}, {"cancel": after}))
        assert "spec.cancel: Invalid value: a cancellation can't be taken back: only Graceful may become" in message

    def test_the_rest_may_change(self, change: Any) -> None:
        after = {
            "priority": 5,
            "suspend": True,
            "timeouts": {"attempt": "5s", "total": "9s"},
            "ttlSecondsAfterFinished": 3,
        }
        changed = change({"timeouts": {"total": "8s"}}, after).expect()["spec"]
        assert {key: changed[key] for key in after} == after


class TestKubectl:
    def test_explain_knows_every_field(self, cluster: EmbeddedCluster) -> None:
        text = cluster.kubectl("explain", "bj.spec")
        for field in BatchJobSpec.model_json_schema()["properties"]:
            assert f"  {field}\t<" in text
        assert "FIELD: limit <integer>" in cluster.kubectl("explain", "bj.spec.retry.limit")
        assert "Default: 10s, or max if that is shorter." in " ".join(
            cluster.kubectl("explain", "bj.spec.retry.initial").split()
        )

    def test_short_name_category_and_columns(self, cluster: EmbeddedCluster, api: Api, namespace: str) -> None:
        api.create(make_job(namespace=namespace, priority=7)).expect()
        narrow = cluster.kubectl("get", "bj", f"--namespace={namespace}")
        assert narrow.splitlines()[0].split() == ["NAME", "PHASE", "PROGRESS", "ATTEMPTS", "DURATION", "AGE"]
        wide = cluster.kubectl("get", "podwright", f"--namespace={namespace}", "--output=wide")
        header, row = wide.splitlines()
        assert header.split()[6:] == ["REASON", "PRIORITY", "NODE", "STARTED", "FINISHED"]
        assert row.split()[:3] == ["job", "Pending", "0"]  # U12: no operator runs here, and nobody wrote a status
        assert row.split()[-1] == "7"

    @pytest.mark.parametrize("phase", ["Pending", "Running"])
    def test_u12_whoever_selects_by_phase_finds_what_no_operator_has_seen(
        self, cluster: EmbeddedCluster, api: Api, namespace: str, phase: str
    ) -> None:
        api.create(make_job(namespace=namespace)).expect()
        found = cluster.kubectl(
            "get", "bj", f"--namespace={namespace}", "--output=name", f"--field-selector=status.phase={phase}"
        )
        assert bool(found.strip()) is (phase == "Pending")

    def test_u8_applying_the_same_file_in_other_ways_is_no_conflict(
        self, cluster: EmbeddedCluster, namespace: str, tmp_path: Path
    ) -> None:
        job = make_job(
            namespace=namespace,
            suspend=True,
            failurePolicy={
                "rules": [
                    {"action": "Fail", "onExitCodes": {"values": [3]}},
                    {"action": "RetryFree", "onPodConditions": [{"type": "DisruptionTarget"}]},
                ]
            },
            **container(
                ports=[{"containerPort": 80}],
                env=[{"name": "A", "value": "b"}],
                resources={"limits": {"cpu": 1}},
                volumeMounts=[{"name": "v", "mountPath": "/v"}],
            ),
        )
        job["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
        whole, part = tmp_path / "job.json", tmp_path / "part.json"
        whole.write_text(json.dumps(job), encoding="utf-8")
        part.write_text(json.dumps({**job, "spec": {"priority": 5}}), encoding="utf-8")
        cluster.kubectl("apply", f"--filename={whole}")
        again = cluster.kubectl("apply", f"--filename={whole}")
        assert "unchanged" in again
        cluster.kubectl("apply", "--server-side", f"--filename={whole}")
        cluster.kubectl("apply", "--server-side", "--field-manager=other", f"--filename={whole}")
        cluster.kubectl("apply", "--server-side", "--field-manager=third", "--force-conflicts", f"--filename={part}")
        priority = cluster.kubectl(
            "get", "bj", "job", f"--namespace={namespace}", "--output=jsonpath={.spec.priority}{.spec.suspend}"
        )
        assert priority == "5true"
