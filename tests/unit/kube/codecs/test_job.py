from typing import Any

import pytest

from podwright.core.run.phase import Phase
from podwright.core.spec import CancelMode, RetryPolicy
from podwright.core.view import JobStatus, JobView
from podwright.kube.codecs.page import JOBS, Undecodable
from tests.support.builders import kept_for
from tests.unit.kube.objects import T0, T0_SECONDS, dumps, job_json


def decode(job: dict[str, Any]) -> JobView:
    view = JOBS.item(dumps(job))
    assert isinstance(view, JobView), view
    return view


def test_the_least_job() -> None:
    assert decode(job_json()) == JobView(
        uid="uid-of-job",
        namespace="default",
        name="job",
        resource_version=5,
        generation=1,
        created=T0_SECONDS,
        template=b'{"spec":{"containers":[{"name":"main","image":"busybox:1"}]}}',
    )


def test_all_of_spec() -> None:
    spec = {
        "priority": -5,
        "suspend": True,
        "cancel": "Immediate",
        "retry": {"limit": 0, "initial": "1s500ms", "factor": 3, "max": "1h"},
        "timeouts": {"attempt": "90s", "total": "1h30m"},
        "ttlSecondsAfterFinished": 60,
    }
    view = decode(job_json(spec=spec, deletionTimestamp=T0, generation=4))
    assert (view.priority, view.suspend, view.cancel) == (-5, True, CancelMode.IMMEDIATE)
    assert view.retry == RetryPolicy(limit=0, initial=1.5, factor=3, maximum=3600.0)
    assert (view.attempt_timeout, view.total_timeout, view.retention) == (90.0, 5400.0, kept_for(60.0))
    assert (view.deleting, view.generation) == (True, 4)


def test_the_template_is_kept_word_for_word() -> None:
    text = dumps(job_json()).replace(b'"image":"busybox:1"', b'"image" : "busyb\\u006fx:1","x":[1.50,{}]')
    view = JOBS.item(text)
    assert isinstance(view, JobView)
    assert view.template == b'{"spec":{"containers":[{"name":"main","image" : "busyb\\u006fx:1","x":[1.50,{}]}]}}'
    assert type(view.template) is bytes


@pytest.mark.parametrize("phase", Phase)
def test_only_what_may_run_keeps_its_template(phase: Phase) -> None:
    view = decode(job_json(status={"observedGeneration": 1, "phase": phase}))
    assert bool(view.template) is not phase.terminal


@pytest.mark.parametrize("status", [None, {}, {"observedGeneration": -1}])
def test_no_status_yet(status: dict[str, Any] | None) -> None:
    assert decode(job_json(status=status)).status == JobStatus()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"spec": {"cancel": "Sometimes"}}, "$.spec.cancel"),
        ({"spec": {"retry": {"initial": "soon"}}}, "'soon' is no duration"),
        ({"spec": {"retry": {"limit": -1}}}, "$.spec.retry.limit"),
        ({"spec": {"retry": {"factor": 0}}}, "$.spec.retry.factor"),
        ({"spec": {"timeouts": {"total": "1d"}}}, "'1d' is no duration"),
        ({"spec": {"ttlSecondsAfterFinished": -1}}, "ttlSecondsAfterFinished"),
        ({"spec": {"priority": "high"}}, "$.spec.priority"),
        ({"status": {"phase": "Dreaming"}}, "$.status.phase"),
        ({"status": {"startTime": "yesterday"}}, "$.status.startTime"),
        ({"status": {"attempts": [{"podName": "x"}]}}, "number"),
        ({"status": {"attempts": [{"number": 0, "podName": "x", "outcome": "Bored"}]}}, "outcome"),
        ({"status": {"conditions": [{"type": "A", "status": "Unknown", "lastTransitionTime": T0}]}}, "status"),
        ({"resourceVersion": "new"}, "new"),
    ],
)
def test_what_we_do_not_understand_is_set_aside(changes: dict[str, Any], complaint: str) -> None:
    item = JOBS.item(dumps(job_json(**changes)))
    assert isinstance(item, Undecodable)
    assert (item.kind, item.namespace, item.name, item.uid) == ("BatchJob", "default", "job", "uid-of-job")
    assert item.resource_version == (0 if "resourceVersion" in changes else 5)
    assert complaint in item.error


def test_a_job_without_template() -> None:
    job = job_json()
    del job["spec"]["template"]
    item = JOBS.item(dumps(job))
    assert isinstance(item, Undecodable)
    assert "template" in item.error


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"onMessage": "disk (full|quota)"}, ""),
        ({"onMessage": "("}, "spec.failurePolicy.rules[0].onMessage is no regular expression in RE2 syntax: missing )"),
        ({"onSignals": ["KILL"]}, "rules[0].onSignals names 'KILL'"),
    ],
)
def test_a_rule_that_nobody_could_apply_is_a_problem(rule: dict[str, Any], problem: str) -> None:
    spec = {"failurePolicy": {"rules": [{"action": "Fail", **rule}]}}
    found = decode(job_json(spec=spec)).problem
    assert problem in found
    assert bool(found) is bool(problem)
    assert decode(job_json(spec=spec, status={"phase": "Failed"})).problem == ""


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        ({"size": 4, "indexes": "3-1"}, "spec.array.indexes is no set of indexes: range '3-1' ends before it begins"),
        ({"size": 4, "successPolicy": {"indexes": "3-1"}}, "spec.array.successPolicy.indexes is no set of indexes"),
        ({"size": 4, "successPolicy": {"count": 5}}, "spec.array.successPolicy.count is 5, but only 4 tasks can count"),
        ({"size": 4, "indexes": "1-2", "successPolicy": {"count": 3}}, "only 2 tasks can count"),
        ({"size": 4, "successPolicy": {"count": 2, "indexes": "1"}}, "only 1 tasks can count"),
        ({"size": 4, "successPolicy": {"count": 2, "indexes": "1-2"}}, ""),
    ],
)
def test_an_array_that_nobody_could_carry_out_is_a_problem(array: dict[str, Any], problem: str) -> None:
    found = decode(job_json(spec={"array": array})).problem
    assert problem in found
    assert bool(found) is bool(problem)


def test_the_work_that_a_job_goes_on_with() -> None:
    marks = {"podwright.dev/work-of": "first", "podwright.dev/tokens-before": "4"}
    view = decode(job_json(annotations=marks))
    assert (view.work_uid, view.tokens_before) == ("first", 4)
    view = decode(job_json(annotations={**marks, "podwright.dev/work-of": "$(HOME)"}))
    assert (view.work_uid, view.tokens_before, view.uid) == ("", 0, "uid-of-job")
