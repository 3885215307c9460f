"""Every restriction in the generated schemas is enforced by the API server, which names the field and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from podwright.api.batchjob import BATCH_JOB
from tests.cluster.api import OPERATOR, Api
from tests.cluster.manifests import make_job
from tests.cluster.violations import Violation, violations

SCHEMA: dict[str, Any] = BATCH_JOB.definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def _by_field(top: str) -> list[Any]:
    """One test for each field; it tries all that the field's schema forbids."""
    fields: dict[str, list[Violation]] = {}
    for violation in violations(SCHEMA, base=make_job(namespace="default"), top=top):
        fields.setdefault(violation.path, []).append(violation)
    return [pytest.param(each, id=path) for path, each in fields.items()]


@pytest.mark.parametrize("each", _by_field("spec"))
def test_a_bad_spec_is_refused(api: Api, each: list[Violation]) -> None:
    for violation in each:
        answer = api.create(violation.document, dry_run=True)
        assert answer.status == 422, violation
        for words in violation.expected:
            assert words in answer.message, violation


@pytest.fixture(scope="module")
def job_name(api: Api, shared_namespace: str) -> str:
    api.create(make_job(namespace=shared_namespace)).expect()
    return "job"


@pytest.mark.parametrize("each", _by_field("status"))
def test_a_bad_status_is_refused(api: Api, shared_namespace: str, job_name: str, each: list[Violation]) -> None:
    operator = api.acting_as(OPERATOR)
    for violation in each:
        change = {"status": violation.document["status"]}
        answer = operator.patch("BatchJob", shared_namespace, job_name, change, subresource="status", dry_run=True)
        assert answer.status == 422, violation
        for words in violation.expected:
            assert words in answer.message, violation
