"""What a user is told who submits or changes a BatchJob in a way that makes no sense, beyond single fields."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from podwright.api.batchjob import BatchJobSpec
from tests.cluster.manifests import make_job

if TYPE_CHECKING:
    from pathlib import Path

    from podwright.devcluster import EmbeddedCluster
    from tests.cluster.api import Answer, Api

IMMUTABLE = "Invalid value: is immutable: delete the job, or create another one under a new name"
DURATION = "such as 90s, 1h30m or 7d (units w, d, h, m, s and ms; at most 5 digits each)"
UNDECLARED = (
    "a container mounts a volume that the pod doesn't have: each volumeMounts[].name must be one of volumes[].name"
)
TEMPLATE = "spec.template.spec"


def refusal(answer: Answer) -> str:
    assert answer.status == 422, answer
    return answer.message


def pod(**fields: Any) -> dict[str, Any]:
    """A spec whose pod has these fields besides a container."""
    return {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:1"}], **fields}}}


def container(**fields: Any) -> dict[str, Any]:
    """A spec whose pod has one container with these fields."""
    return pod(containers=[{"name": "main", "image": "busybox:1", **fields}])


def metadata(**fields: Any) -> dict[str, Any]:
    """A spec whose template has these metadata."""
    return {"template": {"metadata": fields, **pod()["template"]}}


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"retry": {"initial": "10"}}, "spec.retry.initial", f"must be a duration {DURATION}"),
        ({"retry": {"max": "1y"}}, "spec.retry.max", f"must be a duration {DURATION}"),
        (
            {"retry": {"initial": "1h", "max": "59m"}},
            "spec.retry.initial",
            "initial is greater than max: it must be at most max",
        ),
        pytest.param(
            {"retry": {"initial": "1w", "max": "6d23h59m"}},
            "spec.retry.initial",
            "initial is greater than max: it must be at most max",
            id="U16 days and weeks are compared",
        ),
        pytest.param(
            {"idempotencyKey": "k", "dedupWindow": "30d1ms"},
            "spec.dedupWindow",
            "is longer than 30d: it must be at most that",
            id="S12 a window without end",
        ),
        pytest.param(
            {"idempotencyKey": "k", "dedupWindow": "99999h99999h99999h99999h"},
            "spec.dedupWindow",
            "is longer than 30d: it must be at most that",
            id="S12 a window of 45 years",
        ),
        pytest.param({"startAt": []}, "spec.startAt", "must be of type string", id="L12 a list"),
        pytest.param({"startAt": "2027-01-31T08:00:00+99:99"}, "spec.startAt", "Invalid value", id="L12 no offset"),
        pytest.param({"startAt": "2027-01-32T08:00:00Z"}, "spec.startAt", "Invalid value", id="L12 no day"),
        pytest.param({"priority": []}, "spec.priority", "must be of type integer", id="L12 a list for a number"),
        pytest.param({"startAt": {}}, "spec.startAt", "must be of type string", id="L12 an object"),
        pytest.param(
            container(restartPolicy="OnFailure"),
            f"{TEMPLATE}.containers[0].restartPolicy",
            'supported values: "Never"',
            id="B2 a container that restarts",
        ),
        pytest.param(
            container(restartPolicy="Never", restartPolicyRules=[{"action": "Restart"}]),
            f"{TEMPLATE}.containers[0].restartPolicyRules",
            "isn't supported: Podwright itself retries",
            id="B2 rules",
        ),
        pytest.param(
            pod(initContainers=[{"name": "i", "image": "x", "restartPolicy": "OnFailure"}]),
            f"{TEMPLATE}.initContainers[0].restartPolicy",
            'supported values: "Always", "Never"',
            id="B2 an init container that restarts",
        ),
        pytest.param(
            pod(activeDeadlineSeconds="10"),
            f"{TEMPLATE}.activeDeadlineSeconds",
            "must be of type integer",
            id="D24 a deadline that is no number",
        ),
        ({"timeouts": {"attempt": "0s"}}, "spec.timeouts.attempt", f"must be a duration of at least 1s, {DURATION}"),
        ({"timeouts": {"total": "999ms"}}, "spec.timeouts.total", f"must be a duration of at least 1s, {DURATION}"),
        ({"timeouts": {"total": "-5s"}}, "spec.timeouts.total", f"must be a duration of at least 1s, {DURATION}"),
        (
            {"timeouts": {"attempt": "1h1s", "total": "60m"}},
            "spec.timeouts.attempt",
            "attempt is greater than total: it must be at most total",
        ),
        ({"array": {}}, "spec.array", "give exactly one of size and items"),
        ({"array": {"size": 2, "items": ["a"]}}, "spec.array", "give exactly one of size and items"),
        (
            {"array": {"size": 2, "maxFailedTasks": -1}},
            "spec.array.maxFailedTasks",
            "must be a number of tasks (0 or more) or a share of them from 0% to 100%",
        ),
        (
            {"array": {"size": 2, "maxFailedTasks": "101%"}},
            "spec.array.maxFailedTasks",
            "must be a number of tasks (0 or more) or a share of them from 0% to 100%",
        ),
        (
            {"array": {"size": 2, "packParallelism": 2}},
            "spec.array.packParallelism",
            "set pack above 1, or leave it out and use parallelism",
        ),
        ({"timeouts": {"task": "1s"}}, "spec.timeouts.task", "set array.pack above 1, or use timeouts.attempt"),
        (
            {"array": {"size": 2}, "timeouts": {"task": "1s"}},
            "spec.timeouts.task",
            "set array.pack above 1, or use timeouts.attempt",
        ),
        ({"array": {"size": 2, "successPolicy": {}}}, "spec.array.successPolicy", "give count, indexes or both"),
        (
            {"failurePolicy": {"rules": [{"action": "Fail"}]}},
            "spec.failurePolicy.rules[0]",
            "a rule must name at least one of onExitCodes, onSignals",
        ),
        (
            {"failurePolicy": {"rules": [{"action": "Fail", "onMessage": "("}]}},
            "spec.failurePolicy.rules[0].onMessage",
            "must be a regular expression in RE2 syntax",
        ),
        (
            {"failurePolicy": {"onOutOfMemory": {"maxMemory": "lots"}}},
            "spec.failurePolicy.onOutOfMemory.maxMemory",
            "must be a quantity",
        ),
        (
            {"failurePolicy": {"onOutOfMemory": {"maxMemory": "1Gi", "factor": "1"}}},
            "spec.failurePolicy.onOutOfMemory.factor",
            "must be a number above 1 and up to 10, such as 1.5",
        ),
        (
            metadata(labels={"podwright.dev/shard": "0"}),
            "spec.template.metadata.labels",
            "keys that begin with podwright.dev/ are Podwright's own: choose another label key",
        ),
        (
            metadata(annotations={"podwright.dev/epoch": "0"}),
            "spec.template.metadata.annotations",
            "keys that begin with podwright.dev/ are Podwright's own: choose another annotation key",
        ),
        (
            metadata(labels={"a b": "c"}),
            "spec.template.metadata.labels",
            "a key is no label key: allowed are letters, digits, '-', '_' and '.', at most 63 characters",
        ),
        (
            metadata(annotations={"x" * 64: "c"}),
            "spec.template.metadata.annotations",
            "a key is no annotation key: allowed are letters, digits, '-', '_' and '.', at most 63 characters",
        ),
        (
            container(env=[{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
            f"{TEMPLATE}.containers[0].env[0].valueFrom",
            "has both value and valueFrom: only one is allowed",
        ),
        (
            container(env=[{"name": "PODWRIGHT_ATTEMPT", "value": "7"}]),
            f"{TEMPLATE}.containers[0].env[0].name",
            "names that begin with PODWRIGHT_ are set by Podwright itself: choose another name",
        ),
        (
            container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}),
            f"{TEMPLATE}.containers[0].resources.requests",
            "a request is greater than its limit: it must be at most the limit",
        ),
        (
            container(resources={"limits": {"memory": "1 GB"}}),
            f"{TEMPLATE}.containers[0].resources.limits",
            "a value must be a quantity: a number with an optional unit, such as 500m, 2, 256Mi or 1Gi",
        ),
        (
            pod(volumes=[{"name": "v", "emptyDir": {"sizeLimit": "much"}}]),
            f"{TEMPLATE}.volumes[0].emptyDir.sizeLimit",
            "must be a quantity: a number with an optional unit, such as 500m, 2, 256Mi or 1Gi",
        ),
        (
            pod(volumes=[{"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}}]),
            f"{TEMPLATE}.volumes[0]",
            "has more than one source: only one is allowed",
        ),
        (container(volumeMounts=[{"name": "v", "mountPath": "/v"}]), f"{TEMPLATE}.containers", UNDECLARED),
        (
            pod(initContainers=[{"name": "i", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]),
            f"{TEMPLATE}.initContainers",
            UNDECLARED,
        ),
        (
            pod(initContainers=[{"name": "main", "image": "x"}]),
            f"{TEMPLATE}.initContainers",
            "an init container has the name of a container: names must be unique in the pod",
        ),
        (pod(restartPolicy="OnFailure"), f"{TEMPLATE}.restartPolicy", 'supported values: "Never"'),
        ({"cancel": "Now"}, "spec.cancel", 'Unsupported value: "Now": supported values: "Graceful", "Immediate"'),
    ],
)
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


@pytest.mark.parametrize(
    "spec",
    [
        {"retry": {"limit": 0, "initial": "0s", "max": "0s", "factor": 1}},
        {"retry": {"initial": "7m"}},
        pytest.param({"retry": {"max": "5s"}}, id="U19 max alone"),
        pytest.param({"timeouts": {"attempt": "1w2d3h4m5s500ms", "total": "2w"}}, id="U16 all units"),
        pytest.param({"timeouts": {"attempt": "1000ms"}}, id="a second in other words"),
        pytest.param({"idempotencyKey": "k", "dedupWindow": "30d"}, id="S12 the longest window"),
        pytest.param({"array": {"items": ["a", "a"]}}, id="U20 an item twice"),
        pytest.param({"startAt": "2027-01-31T08:00:00.123456+05:30"}, id="L12 a time in its zone"),
        pytest.param(
            pod(initContainers=[{"name": "i", "image": "x", "restartPolicy": "Always"}]), id="B2 a native sidecar"
        ),
        {"timeouts": {"attempt": "1s"}},
        {"timeouts": {"attempt": "1h30m5s500ms", "total": "99999h"}},
        {"timeouts": {"attempt": "60m", "total": "1h"}},
        {"array": {"size": 2, "packParallelism": 1}},
        {"array": {"size": 4, "pack": 2, "packParallelism": 2}, "timeouts": {"task": "1s", "attempt": "5s"}},
        {"cancel": "Immediate", "suspend": True, "ttlSecondsAfterFinished": 0},
        metadata(labels={"app": "x", "example.org/y": ""}, annotations={"fake.podwright.dev/duration": "1s"}),
        container(env=[{"name": "A", "value": "", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        container(resources={"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1024Mi"}}),
        pod(
            volumes=[{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
            initContainers=[{"name": "i", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        ),
    ],
)
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
        assert narrow.splitlines()[0].split() == ["NAME", "PHASE", "PROGRESS", "ATTEMPTS", "START", "DURATION", "AGE"]
        wide = cluster.kubectl("get", "podwright", f"--namespace={namespace}", "--output=wide")
        header, row = wide.splitlines()
        assert header.split()[7:] == ["REASON", "PRIORITY", "NODE", "FINISHED"]
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
