from typing import Any

import pytest

from podwright.core.constants.limits import MOST_DEDUP_SECONDS
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.phase import Phase
from podwright.core.spec import CancelMode, RetryPolicy
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


OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "uid": "u"}


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"finalizers": [f"example.com/{'f' * 50}{n:05}" for n in range(20_000)]}, id="finalizers"),
        pytest.param({"ownerReferences": [{**OWNER, "name": "x" * 1_200_000}]}, id="owner references"),
        pytest.param({"managedFields": [{"fieldsV1": {f"f:{n:060}": {} for n in range(20_000)}}]}, id="managed fields"),
    ],
)
def test_all_metadata_counts_for_the_size_of_a_job_that_has_not_begun(metadata: dict[str, Any]) -> None:
    """Whatever takes the room, no status would fit, and a pod whose end can't be recorded must not be started."""
    assert "leaves no room for its status" in decode(job_json(**metadata)).problem
    begun = {"phase": "Running", "observedGeneration": 1, "attemptCount": 1}
    assert decode(job_json(status=begun, **metadata)).problem == ""


@pytest.mark.parametrize(
    ("item", "number", "fits"),
    [("x" * 80, 10_000, True), ("<" * 30, 10_000, False), ("\u2028" * 30, 10_000, False), ("é" * 60, 10_000, False)],
)
def test_items_count_as_the_api_server_stores_them(item: str, number: int, fits: bool) -> None:
    """Kubernetes escapes `<`, `>` and `&` in JSON."""
    view = decode(job_json(spec={"array": {"items": [item] * number}}))
    assert ("leaves no room for its status" in view.problem) is not fits


@pytest.mark.parametrize(
    ("array", "least", "most"),
    [
        pytest.param({"items": ["x" * 100] * 3000}, 0, 0, id="small pods of a large array"),
        pytest.param({"items": ["x" * 100] * 3000, "pack": 500}, 50_000, 51_000, id="packs have many of its items"),
    ],
)
def test_l4_pods_have_the_size_of_the_template_and_their_items(array: dict[str, Any], least: int, most: int) -> None:
    view = decode(job_json(spec={"array": array}, annotations={"example.com/note": "x" * 50_000}))
    assert view.size > 350_000
    assert least <= view.pod_size <= most


def test_l4_pods_of_a_large_template_are_large() -> None:
    template = {"spec": {"containers": [{"name": "main", "image": "i", "args": ["x" * 100_000]}]}}
    view = decode(job_json(spec={"template": template}))
    assert view.size >= view.pod_size > 100_000


def test_l4_managed_fields_of_a_job_that_runs_are_no_problem_but_count_for_its_pace() -> None:
    begun = {"phase": "Running", "observedGeneration": 1, "attemptCount": 1}
    view = decode(job_json(status=begun, managedFields=[{"fieldsV1": {f"f:{n:060}": {} for n in range(20_000)}}]))
    assert (view.problem, view.pod_size) == ("", 0)
    assert view.size > 1_200_000


def test_s12_a_window_that_is_longer_than_the_schema_allows_today_counts_as_the_longest() -> None:
    view = decode(job_json(spec={"idempotencyKey": "k", "dedupWindow": "99999h99999h"}))
    assert view.dedup_window == MOST_DEDUP_SECONDS


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


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        {"observedGeneration": -1},
        pytest.param({"observedGeneration": -1, "phase": "Pending", "attemptCount": 0}, id="U12 the schema's default"),
    ],
)
def test_no_status_yet(status: dict[str, Any] | None) -> None:
    assert decode(job_json(status=status)).status == JobStatus()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"spec": {"cancel": "Sometimes"}}, "$.spec.cancel"),
        ({"spec": {"retry": {"initial": "soon"}}}, "invalid duration 'soon'"),
        ({"spec": {"retry": {"limit": -1}}}, "$.spec.retry.limit"),
        ({"spec": {"retry": {"factor": 0}}}, "$.spec.retry.factor"),
        ({"spec": {"timeouts": {"total": "1y"}}}, "invalid duration '1y'"),
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
        (
            {"size": 4, "indexes": "3-1"},
            "spec.array.indexes is not a set of indexes: range '3-1' ends before it begins",
        ),
        ({"size": 4, "successPolicy": {"indexes": "3-1"}}, "spec.array.successPolicy.indexes is not a set of indexes"),
        ({"size": 4, "successPolicy": {"count": 5}}, "spec.array.successPolicy.count is 5, but only 4 tasks can count"),
        ({"size": 4, "indexes": "1-2", "successPolicy": {"count": 3}}, "only 2 tasks can count"),
        ({"size": 4, "successPolicy": {"count": 2, "indexes": "1"}}, "only 1 tasks can count"),
        ({"size": 4, "successPolicy": {"count": 2, "indexes": "1-2"}}, ""),
        pytest.param({"items": ["a", "a"]}, "", id="U20 an item may come twice"),
        pytest.param({"items": ["a", "b\0c"]}, "spec.array.items[1] contains a NUL character", id="B29 NUL"),
        pytest.param({"items": ["a", "b" * 131_052]}, "spec.array.items[1] takes 131052 bytes", id="B29 too long"),
        pytest.param({"items": ["a", "ä" * 65_525]}, "", id="B29 the longest"),
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


@pytest.mark.parametrize(
    ("spec", "policy"),
    [
        ({}, RetryPolicy()),
        ({"max": "5s"}, RetryPolicy(initial=5.0, maximum=5.0)),
        ({"initial": "7d"}, RetryPolicy(initial=604_800.0, maximum=604_800.0)),
        ({"initial": "1s"}, RetryPolicy(initial=1.0)),
        ({"max": "1h"}, RetryPolicy(maximum=3600.0)),
        ({"initial": "10s", "max": "6m"}, RetryPolicy()),
    ],
    ids=["none", "U19 max alone", "initial alone", "a short initial", "a long max", "as by default"],
)
def test_u19_one_bound_of_the_delay_moves_the_other(spec: dict[str, Any], policy: RetryPolicy) -> None:
    assert decode(job_json(spec={"retry": spec})).retry == policy


@pytest.mark.parametrize(
    "text", [[], "2026-02-31T00:00:00Z", "2026-01-01T00:00:00+99:99", "2026-01-01T00:00:00", "soon", 7, {"a": 1}]
)
def test_l12_a_senseless_time_is_a_problem_of_the_job(text: Any) -> None:
    """It can be ended, cancelled and deleted like any other, rather than only reported."""
    assert decode(job_json(spec={"startAt": text})).problem.startswith("spec.startAt ")


def test_a_time_is_read_in_its_zone() -> None:
    view = decode(job_json(spec={"startAt": "9999-12-31T23:59:59.5-23:59"}))
    assert view.problem == ""
    assert view.start_at == 253_402_300_799.5 + 86_340


MAIN = {"name": "main", "image": "busybox:1"}


@pytest.mark.parametrize(
    ("pod", "problem"),
    [
        pytest.param(
            {"containers": [{**MAIN, "restartPolicy": "OnFailure"}]},
            "spec.template.spec.containers[0].restartPolicy is 'OnFailure', but only Never can be used",
            id="B2 OnFailure",
        ),
        pytest.param(
            {"containers": [{**MAIN, "restartPolicy": "Always"}]},
            "spec.template.spec.containers[0].restartPolicy is 'Always'",
            id="B2 Always",
        ),
        pytest.param(
            {"containers": [{**MAIN, "restartPolicy": "Never", "restartPolicyRules": [{"action": "Restart"}]}]},
            "spec.template.spec.containers[0].restartPolicyRules isn't supported",
            id="B2 rules",
        ),
        pytest.param(
            {"containers": [MAIN], "initContainers": [{"name": "i", "restartPolicy": "OnFailure"}]},
            "spec.template.spec.initContainers[0].restartPolicy is 'OnFailure', but only Never and Always can be used",
            id="B2 init container",
        ),
        pytest.param(
            {"containers": [MAIN], "initContainers": [{"name": "i", "restartPolicy": "Always"}]}, "", id="B2 sidecar"
        ),
        pytest.param(
            {"containers": [{**MAIN, "args": ["a", "b\0"]}]},
            "spec.template.spec.containers[0].args[1] contains a NUL character",
            id="B29 NUL in the template",
        ),
        pytest.param({"containers": [{**MAIN, "args": ["\\u0000"]}]}, "", id="B29 a backslash is none"),
    ],
)
def test_a_template_that_nobody_could_carry_out_is_a_problem(pod: dict[str, Any], problem: str) -> None:
    found = decode(job_json(spec={"template": {"spec": pod}})).problem
    assert problem in found
    assert bool(found) is bool(problem)


@pytest.mark.parametrize("levels", [110, 400])
def test_l11_a_template_without_end_is_a_problem(levels: int) -> None:
    affinity: Any = {}
    for _ in range(levels):
        affinity = [affinity]
    job = job_json(spec={"template": {"spec": {"containers": [MAIN], "affinity": {"nodeAffinity": affinity}}}})
    assert decode(job).problem == "spec.template is nested more than 100 levels deep: no pod needs that"


def test_b18_growth_needs_something_to_grow() -> None:
    failures = {"onOutOfMemory": {"maxMemory": "1Gi"}}
    template = {"spec": {"containers": [MAIN]}}
    found = decode(job_json(spec={"failurePolicy": failures, "template": template})).problem
    assert found.startswith("spec.failurePolicy.onOutOfMemory has nothing to grow")
