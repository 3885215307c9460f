"""Specs of jobs that the API server refuses, with the field and the words of the refusal, and unusual ones that it accepts.

Tried on the API server itself, and on whatever promises to say the same without one.
"""

from __future__ import annotations

from typing import Any

import pytest

DURATION = "such as 90s, 1h30m or 7d (units w, d, h, m, s and ms; at most 5 digits each)"
UNDECLARED = (
    "a container mounts a volume that the pod doesn't have: each volumeMounts[].name must be one of volumes[].name"
)
TEMPLATE = "spec.template.spec"


def pod(**fields: Any) -> dict[str, Any]:
    """A spec whose pod has these fields besides a container."""
    return {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:1"}], **fields}}}


def container(**fields: Any) -> dict[str, Any]:
    """A spec whose pod has one container with these fields."""
    return pod(containers=[{"name": "main", "image": "busybox:1", **fields}])


def metadata(**fields: Any) -> dict[str, Any]:
    """A spec whose template has these metadata."""
    return {"template": {"metadata": fields, **pod()["template"]}}


REFUSED: list[Any] = [
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
    ({"array": {}}, "spec.array", "set exactly one of size and items"),
    ({"array": {"size": 2, "items": ["a"]}}, "spec.array", "set exactly one of size and items"),
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
    ({"array": {"size": 2, "successPolicy": {}}}, "spec.array.successPolicy", "set count, indexes or both"),
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
        "invalid label key: allowed are letters, digits, '-', '_' and '.', at most 63 characters",
    ),
    (
        metadata(annotations={"x" * 64: "c"}),
        "spec.template.metadata.annotations",
        "invalid annotation key: allowed are letters, digits, '-', '_' and '.', at most 63 characters",
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
]
"""Spec, field, and words of the message."""

ACCEPTED: list[Any] = [
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
]
