from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from podwright.cli.lint.job import job_problems
from podwright.core.job.oversize import ADMITTED_BYTES


def job(**spec: Any) -> dict[str, Any]:
    meta = spec.pop("meta", {"name": "report"})
    return {
        "apiVersion": "podwright.dev/v1alpha1",
        "kind": "BatchJob",
        "metadata": meta,
        "spec": {"template": template(), **spec},
    }


def template(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "main", "image": "busybox:1", **container}]}}


CONTAINER = "spec.template.spec.containers[0]"


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        pytest.param(job(), "", id="fine"),
        pytest.param(
            job(template=template(comand=["a"])),
            f"{CONTAINER}.comand: unknown field; did you mean command?",
            id="U9 a typo in the template",
        ),
        pytest.param(
            job(template=template(env=[{"name": "A", "valueFrom": {"secretKeyref": {}}}])),
            f"{CONTAINER}.env[0].valueFrom.secretKeyref: unknown field; did you mean secretKeyRef?",
            id="U9 a typo far down in the template",
        ),
        pytest.param(
            job(template=template(resources={"requests": {"memory": "1gb"}})),
            f"{CONTAINER}.resources.requests.memory: invalid quantity '1gb': unknown unit gb; did you mean 1G?",
            id="U15 a quantity",
        ),
        pytest.param(job(template=template(resources={"limits": {"cpu": 2}})), "", id="a quantity may be a number"),
        pytest.param(
            job(template=template(command="echo")), f"{CONTAINER}.command: must be a list, not 'echo'", id="wrong type"
        ),
        pytest.param(job(retrys={}), "spec.retrys: unknown field; did you mean retry?", id="a typo in the spec"),
        pytest.param(job(retry={"limit": 101}), "spec.retry.limit: must be at most 100, not 101", id="too much"),
        pytest.param(
            job(retry={"initial": 5}),
            "spec.retry.initial: must be a string, not 5; a duration needs a unit: 5s",
            id="a number for a duration",
        ),
        pytest.param(
            job(idempotencyKey=2026),
            "spec.idempotencyKey: must be a string, not 2026; put it in quotes: '2026'",
            id="a number for a text",
        ),
        pytest.param(
            job(onExhausted="DeadLeter"),
            "spec.onExhausted: must be one of DeadLetter, Fail, not 'DeadLeter'; did you mean DeadLetter?",
            id="not allowed",
        ),
        pytest.param(
            job(template={"spec": template()["spec"] | {"restartPolicy": "Always"}}),
            "spec.template.spec.restartPolicy: must be Never, not 'Always'",
            id="only one is allowed",
        ),
        pytest.param(
            job(dependsOn=[{"name": "a"}, {"name": "a"}]),
            "spec.dependsOn[1]: duplicate name a",
            id="the same key twice",
        ),
        pytest.param(job(template=None), "spec.template: required", id="nothing to run"),
        pytest.param(job(meta={}), "metadata.name: required", id="no name"),
        pytest.param(
            job(meta={"name": "x" * 64}), "metadata.name: must have at most 63 characters, not 64", id="long name"
        ),
    ],
)
def test_what_is_found_without_a_cluster(made: dict[str, Any], problem: str) -> None:
    assert job_problems(made) == ([problem] if problem else [])


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"array": {"size": 3, "indexes": "5"}}, id="an index that there isn't"),
    ],
)
def test_what_only_the_operator_would_find(spec: dict[str, Any]) -> None:
    (problem,) = job_problems(job(**spec))
    assert problem.startswith("spec: ")


@pytest.mark.parametrize(
    ("letters", "is_told"),
    [
        pytest.param("x" * 262_200, True, id="L4 more than 256 KiB"),
        pytest.param("x" * 261_000, False, id="nearly so much"),
        pytest.param("<" * 50_000, True, id="L4 letters that are stored as six bytes each"),
    ],
)
def test_l4_a_job_that_admission_would_refuse_for_its_size(letters: str, is_told: bool) -> None:
    made = {
        "apiVersion": "podwright.dev/v1alpha1",
        "kind": "BatchJob",
        "metadata": {"name": "large", "annotations": {"a": letters}},
        "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:1"}]}}},
    }
    assert any("at most 262,144 are allowed" in problem for problem in job_problems(made)) is is_told


def test_l4_the_policy_and_lint_agree_on_the_size() -> None:
    policy = (Path(__file__).parents[4] / "manifests/admission/jobs.yaml").read_text(encoding="utf-8")
    assert f"variables.length <= {ADMITTED_BYTES}" in policy
