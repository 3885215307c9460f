"""Which rule decides on a failure, by how it looks."""

import pytest

from podwright.core.attempt.failure_policy import (
    Evidence,
    ends_wait,
    evidence_of_end,
    evidence_of_wait,
    rule_on,
    rules_problem,
)
from podwright.core.model.attempt import Attempt, Outcome
from podwright.core.model.pod import FailedContainer
from podwright.core.spec import FailureAction, FailureRule
from tests.support.builders import finished, make_job, make_pod

FAIL = FailureAction.FAIL
UNKNOWN = FailedContainer("main", None, "", "ContainerStatusUnknown")
MAIN = FailedContainer("main", 3, "", "Error")
KILLED = FailedContainer("main", 137, "SIGKILL", "OOMKilled")
SIDECAR = FailedContainer("sidecar", 1, "", "Error")


def exit_codes(*codes: int, inverted: bool = False, container: str = "") -> FailureRule:
    """Build a rule on exit codes."""
    return FailureRule(action=FAIL, exit_codes=frozenset(codes), exit_codes_inverted=inverted, container=container)


@pytest.mark.parametrize(
    ("rule", "evidence", "fits"),
    [
        (exit_codes(3, 4), Evidence(failed=(MAIN,)), True),
        (exit_codes(4), Evidence(failed=(MAIN,)), False),
        (exit_codes(4), Evidence(), False),
        (exit_codes(1, container="main"), Evidence(failed=(MAIN, SIDECAR)), False),
        (exit_codes(1, container="sidecar"), Evidence(failed=(MAIN, SIDECAR)), True),
        (exit_codes(3, inverted=True), Evidence(failed=(MAIN,)), False),
        (exit_codes(3, inverted=True), Evidence(failed=(MAIN, SIDECAR)), True),
        (exit_codes(4, inverted=True), Evidence(), False),
        (exit_codes(4, inverted=True), Evidence(failed=(UNKNOWN,)), False),
        (exit_codes(4, inverted=True, container="main"), Evidence(failed=(SIDECAR,)), False),
        (FailureRule(action=FAIL, signals=frozenset({"SIGKILL"})), Evidence(failed=(MAIN, KILLED)), True),
        (FailureRule(action=FAIL, signals=frozenset({"SIGSEGV"})), Evidence(failed=(KILLED,)), False),
        (FailureRule(action=FAIL, reasons=frozenset({"A", "B"})), Evidence(reasons=frozenset({"B", "C"})), True),
        (FailureRule(action=FAIL, reasons=frozenset({"A"})), Evidence(reasons=frozenset({"B"})), False),
        (FailureRule(action=FAIL, pod_conditions=(("A", "True"),)), Evidence(pod_conditions=(("A", "True"),)), True),
        (FailureRule(action=FAIL, pod_conditions=(("A", "True"),)), Evidence(pod_conditions=(("A", "False"),)), False),
        (FailureRule(action=FAIL, waiting_reasons=frozenset({"A"})), Evidence(waiting_reason="A"), True),
        (
            FailureRule(action=FAIL, waiting_reasons=frozenset({"ErrImagePull"})),
            Evidence(waiting_reason="ImagePullBackOff"),
            True,
        ),
        (FailureRule(action=FAIL, waiting_reasons=frozenset({"A"})), Evidence(reasons=frozenset({"A"})), False),
        (FailureRule(action=FAIL, message="disk (full|quota)"), Evidence(message="oh: disk quota!"), True),
        (FailureRule(action=FAIL, message="^disk"), Evidence(message="oh: disk quota!"), False),
        (FailureRule(action=FAIL, message="("), Evidence(message="("), False),
        (
            FailureRule(action=FAIL, reasons=frozenset({"A"}), message="full"),
            Evidence(reasons=frozenset({"A"}), message="empty"),
            False,
        ),
        (
            FailureRule(action=FAIL, reasons=frozenset({"A"}), message="full"),
            Evidence(reasons=frozenset({"A"}), message="full"),
            True,
        ),
    ],
    ids=[
        "exit code",
        "another exit code",
        "no container failed",
        "exit code of another container",
        "exit code of the named container",
        "a code that is excepted",
        "another container's code is not",
        "no code at all is not any other code",
        "what is made up is no code either",
        "only the named container's other codes",
        "signal of any container",
        "another signal",
        "one of the reasons",
        "another reason",
        "condition",
        "condition with another status",
        "waiting reason",
        "both reasons of the wait for an image",
        "a reason of the end is no waiting reason",
        "message, anywhere",
        "anchored message",
        "an expression that is none",
        "all must fit",
        "all fit",
    ],
)
def test_one_rule(rule: FailureRule, evidence: Evidence, fits: bool) -> None:
    ruling = rule_on(rules=[rule], evidence=evidence)
    assert (ruling.action, ruling.rule) == ((FAIL, 0) if fits else (FailureAction.RETRY, None))


def test_the_first_rule_that_fits_decides() -> None:
    rules = [
        FailureRule(action=action, exit_codes=frozenset({code}))
        for action, code in ((FAIL, 9), (FailureAction.IGNORE, 3), (FailureAction.RETRY_FREE, 3))
    ]
    ruling = rule_on(rules=rules, evidence=Evidence(failed=(MAIN,)))
    assert (ruling.action, ruling.rule) == (FailureAction.IGNORE, 1)


def test_reasons_are_those_of_the_attempt_its_containers_and_its_pod() -> None:
    pod = finished(
        make_pod(make_job()),
        at=1.0,
        exit_code=137,
        reason="Evicted",
        disruption="TerminationByKubelet",
        failed=(KILLED,),
    )
    attempt = Attempt(number=0, pod_name=pod.name, outcome=Outcome.FAILED, reason="AttemptTimeout")
    found = evidence_of_end(attempt=attempt, pod=pod)
    assert found.reasons == {"AttemptTimeout", "Evicted", "TerminationByKubelet", "OOMKilled"}
    assert evidence_of_end(attempt=attempt, pod=None).reasons == {"AttemptTimeout"}


@pytest.mark.parametrize(
    ("rules", "ends"),
    [
        ([], False),
        ([FailureRule(action=FAIL, waiting_reasons=frozenset({"ErrImagePull"}))], True),
        ([FailureRule(action=FAIL, waiting_reasons=frozenset({"CreateContainerConfigError"}))], False),
        ([FailureRule(action=FAIL, reasons=frozenset({"ErrImagePull"}))], False),
        ([FailureRule(action=FAIL, waiting_reasons=frozenset({"ErrImagePull"}), message="not found")], True),
        ([FailureRule(action=FAIL, waiting_reasons=frozenset({"ErrImagePull"}), message="denied")], False),
        ([exit_codes(3, inverted=True), FailureRule(action=FAIL, waiting_reasons=frozenset({"ErrImagePull"}))], True),
    ],
    ids=["no rules", "named", "another", "a rule on ends", "message too", "another message", "a later rule"],
)
def test_which_waits_are_ended(rules: list[FailureRule], ends: bool) -> None:
    evidence = evidence_of_wait(reason="ErrImagePull", message="image not found", pod=make_pod(make_job()))
    assert ends_wait(rules=rules, evidence=evidence) is ends


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ([], ""),
        ([FailureRule(action=FAIL, signals=frozenset({"SIGKILL", "SIGTERM"}), message=r"^\d+ errors?$")], ""),
        ([exit_codes(1), FailureRule(action=FAIL, signals=frozenset({"KILL"}))], "rules[1].onSignals names 'KILL'"),
        (
            [FailureRule(action=FAIL, message="(a")],
            "rules[0].onMessage is no regular expression in RE2 syntax: missing )",
        ),
        ([FailureRule(action=FAIL, message=r"(a)\1")], "invalid escape sequence"),
        ([FailureRule(action=FAIL, message=r"(?=a)")], "invalid perl operator"),
        ([FailureRule(action=FAIL, message=r"(a{1000}){1000}")], "invalid repetition size"),
        ([FailureRule(action=FAIL, message=r"\pL{1000}")], "too large"),
        ([FailureRule(action=FAIL, message=".{400}")], "rules[0].onMessage is too large"),
        (
            [FailureRule(action=FAIL, message=".{20}"), FailureRule(action=FAIL, message=".{21}")],
            "rules[1].onMessage is too large",
        ),
    ],
)
def test_what_is_wrong_with_rules(rules: list[FailureRule], told: str) -> None:
    problem = rules_problem(rules)
    assert told in problem
    assert bool(problem) is bool(told)


IGNORE_PROXY = FailureRule(action=FailureAction.IGNORE, exit_codes=frozenset({137, 143}), container="proxy")
PROXY_KILLED = FailedContainer("proxy", 143, "SIGTERM", "Error")


@pytest.mark.parametrize(
    ("rule", "evidence", "fits"),
    [
        pytest.param(IGNORE_PROXY, Evidence(failed=(PROXY_KILLED,)), True, id="B9 only the proxy failed"),
        pytest.param(IGNORE_PROXY, Evidence(failed=(MAIN, PROXY_KILLED)), False, id="B9 the work failed too"),
        pytest.param(IGNORE_PROXY, Evidence(), False, id="B9 nothing failed"),
        pytest.param(IGNORE_PROXY, Evidence(failed=(PROXY_KILLED, UNKNOWN)), False, id="B9 nobody knows of the other"),
        pytest.param(
            FailureRule(action=FailureAction.IGNORE, signals=frozenset({"SIGTERM"})),
            Evidence(failed=(PROXY_KILLED, MAIN)),
            False,
            id="B9 by signal",
        ),
        pytest.param(
            FailureRule(action=FailureAction.IGNORE, reasons=frozenset({"OOMKilled"})),
            Evidence(reasons=frozenset({"Error", "OOMKilled"}), failed=(MAIN, KILLED)),
            False,
            id="B9 by reason",
        ),
        pytest.param(
            FailureRule(action=FailureAction.IGNORE, reasons=frozenset({"AttemptTimeout"})),
            Evidence(reasons=frozenset({"AttemptTimeout", "Error"}), failed=(MAIN,)),
            True,
            id="B9 the attempt's own reason",
        ),
        pytest.param(
            FailureRule(action=FAIL, message="pull"),
            Evidence(waiting_reason="ErrImagePull", message="can't pull"),
            False,
            id="D22 a wait has no termination message",
        ),
        pytest.param(
            FailureRule(action=FAIL, message="pull", waiting_reasons=frozenset({"ErrImagePull"})),
            Evidence(waiting_reason="ErrImagePull", message="can't pull"),
            True,
            id="D22 a rule about waits may look at why",
        ),
    ],
)
def test_what_is_ignored_and_where_messages_are_looked_for(rule: FailureRule, evidence: Evidence, fits: bool) -> None:
    assert (rule_on(rules=(rule,), evidence=evidence).rule == 0) is fits
