"""L12 and D24: no object that the schema accepts is beyond decoding, and whatever is to run can be made into a pod.

Specs are generated from the schema itself, with arbitrary JSON where it keeps unknown fields.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podwright.api.batchjob import BATCH_JOB
from podwright.core.constants.names import pod_name
from podwright.core.job.pod.attempt_pod import AttemptPod
from podwright.core.job.pod.template import build_pod
from podwright.core.model.job import JobView
from podwright.core.values.index_set import IndexSet
from podwright.kube.codecs.page import JOBS
from tests.unit.kube.objects import dumps, job_json

SCHEMA: dict[str, Any] = BATCH_JOB.definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)
UNKNOWN = (
    "livenessProbe",
    "nodeName",
    "preferredDuringSchedulingIgnoredDuringExecution",
    "requiredDuringSchedulingIgnoredDuringExecution",
    "x",
)
"""Names of fields that our schema doesn't know, among them those that the operator looks at."""


@st.composite
def values(draw: st.DrawFn, schema: dict[str, Any]) -> Any:
    """Whatever the API server accepts by types, bounds and patterns; its CEL rules refuse some of it."""
    return _drawn(draw, schema)


def _drawn(draw: st.DrawFn, schema: dict[str, Any]) -> Any:
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    if schema.get("x-kubernetes-int-or-string"):
        return draw(st.integers(-9, 2**40) | st.sampled_from(["1Gi", "500m", "5%", "1e3", "0", "lots"]))
    match schema["type"]:
        case "string":
            return draw(_texts(schema))
        case "integer":
            return draw(st.integers(int(schema.get("minimum", -(2**63))), int(schema.get("maximum", 2**63 - 1))))
        case "boolean":
            return draw(st.booleans())
        case "array":
            least = schema.get("minItems", 0)
            return [_drawn(draw, schema["items"]) for _ in range(draw(st.integers(least, least + 1)))]
    return _object(draw, schema)


def _texts(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        matching = st.from_regex(re.compile(schema["pattern"].replace("$", r"\Z"), re.ASCII))
        return matching.filter(lambda text: schema.get("minLength", 0) <= len(text) <= schema["maxLength"])
    return st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 40), 40))


def _object(draw: st.DrawFn, schema: dict[str, Any]) -> dict[str, Any]:
    if "additionalProperties" in schema:
        keys = draw(st.lists(st.text(max_size=8), max_size=2))
        return {key: _drawn(draw, schema["additionalProperties"]) for key in keys}
    members, required = schema.get("properties", {}), schema.get("required", ())
    optional = [name for name in members if name not in required]
    some = draw(st.lists(st.sampled_from(optional), max_size=3)) if optional else ()
    made: dict[str, Any] = {}
    if schema.get("x-kubernetes-preserve-unknown-fields") and draw(st.booleans()):
        made[draw(st.sampled_from(UNKNOWN))] = draw(ANYTHING)
    return {**made, **{name: _drawn(draw, members[name]) for name in (*required, *some)}}


SPECS = values(SCHEMA["properties"]["spec"]).filter(
    lambda spec: "array" not in spec or ("size" in spec["array"]) != ("items" in spec["array"])
)


def _within_rules(spec: dict[str, Any]) -> dict[str, Any]:
    """Mend what the CEL rules refuse."""
    array, policy = spec.get("array") or {}, spec.get("failurePolicy") or {}
    if isinstance(share := array.get("maxFailedTasks"), str):
        array["maxFailedTasks"] = "5%"
    elif share is not None:
        array["maxFailedTasks"] = abs(share)
    if "factor" in (policy.get("onOutOfMemory") or {}):
        policy["onOutOfMemory"]["factor"] = "1.25"
    return spec


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(spec=SPECS.map(_within_rules))
def test_l12_d24_it_is_decoded_and_its_pod_is_built(spec: dict[str, Any]) -> None:
    job = JOBS.item(dumps({**job_json(), "spec": spec}))
    assert isinstance(job, JobView), job
    if job.problem:
        assert job.problem.startswith(("spec.", "packed arrays ", "rules["))
        return
    if job.suspend:
        job = JOBS.item(dumps({**job_json(), "spec": spec | {"suspend": False}}))  # else it rests, and has no template
        assert isinstance(job, JobView), job
    packed = job.array is not None and job.array.pack > 1
    tasks = IndexSet.up_to(1) if packed else IndexSet.up_to(0)
    attempt = AttemptPod(task_index=0, attempt=1, tasks=tasks, nodes_to_avoid=("node",), out_of_memory=2)
    name = pod_name(job_name=job.name, job_uid=job.uid, task_index=0, attempt=1)
    pod = msgspec.json.decode(build_pod(job=job, name=name, attempt=attempt, shard=0, epoch=1))
    assert pod["spec"]["restartPolicy"] == "Never"
