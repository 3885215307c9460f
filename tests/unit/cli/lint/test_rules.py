"""What the API server says of a job, `podwright lint` says without one: the same cases as in `tests.cluster.test_batchjob_validation`."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from podwright.api.batchjob import BATCH_JOB
from podwright.cli.lint.job import job_problems, left_to_the_server
from podwright.cli.lint.rules import rule_problems, with_defaults
from tests.cluster.manifests import make_job
from tests.support.specs import ACCEPTED, REFUSED

SCHEMA = BATCH_JOB.definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
MESSAGES = json.dumps(SCHEMA)
"""Holds the message of every rule."""


@pytest.mark.parametrize(("spec", "field", "words"), REFUSED)
def test_what_the_api_server_refuses_is_found(spec: dict[str, Any], field: str, words: str) -> None:
    found = job_problems(make_job(namespace="default", **spec))
    there = [each for each in found if each.startswith((f"{field}: ", f"{field}.", f"{field}["))]
    assert there or field == "spec.startAt", found
    if words in MESSAGES and "quantity" not in words:
        assert any(words in each for each in there), found


@pytest.mark.parametrize("spec", ACCEPTED)
def test_what_the_api_server_accepts_is_not_complained_about(spec: dict[str, Any]) -> None:
    found = job_problems(make_job(namespace="default", **spec))
    assert [each for each in found if not each.startswith("spec: ")] == [], (
        "what begins with spec: is the operator's word"
    )


def test_every_rule_for_new_jobs_can_be_evaluated() -> None:
    assert left_to_the_server() == []


@pytest.mark.parametrize(
    ("schema", "value", "problem"),
    [
        pytest.param({"rule": "self.unknownFunction()"}, "a", "", id="left to the server"),
        pytest.param({"rule": "self.x == oldSelf.x"}, {}, "", id="about changes"),
        pytest.param(
            {"rule": "self.x == 1", "message": "must be 1"}, {}, "x: must be 1", id="an error of the evaluation"
        ),
        pytest.param({"rule": "self == 'b'"}, "a", "x: failed rule: self == 'b'", id="without a message"),
        pytest.param(
            {"rule": "false", "message": "m", "messageExpression": "'not ' + self", "fieldPath": ".y"},
            "a",
            "x.y: not a",
            id="a message made of the value",
        ),
        pytest.param(
            {"rule": "false", "message": "m", "messageExpression": "self.gone"}, {}, "x: m", id="no message can be made"
        ),
    ],
)
def test_one_rule(schema: dict[str, Any], value: Any, problem: str) -> None:
    assert list(rule_problems(value, {"x-kubernetes-validations": [schema]}, "x")) == ([problem] if problem else [])


def test_defaults_and_nulls_are_as_the_api_server_stores_them() -> None:
    schema = {
        "properties": {
            "a": {"default": {"b": 1}, "properties": {"b": {}, "c": {"default": 2}}},
            "list": {"items": {"properties": {"d": {"default": 3}}}},
            "null": {"default": 4},
        }
    }
    given: dict[str, Any] = {"list": [{}], "null": None, "other": None}
    assert with_defaults(given, schema) == {"a": {"b": 1, "c": 2}, "list": [{"d": 3}], "null": 4}
    assert given == {"list": [{}], "null": None, "other": None}


def test_only_lint_pays_for_the_rules() -> None:
    code = "import sys, podwright.cli.main, podwright.cli.lint.command; sys.exit('cel_expr_python' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
