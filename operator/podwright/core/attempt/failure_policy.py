"""`spec.failurePolicy.rules`: how a failure is treated, by its evidence. The first rule that fits decides.

`Evidence` is all that rules look at, so the same rules serve a job's one pod and each pod of an array.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from podwright.core.attempt.message_pattern import PROGRAM_LIMIT, PatternError, found, program_size
from podwright.core.attempt.signals import SIGNALS
from podwright.core.constants.reasons import Reason
from podwright.core.model.attempt import Attempt
from podwright.core.model.pod import FailedContainer, PodView
from podwright.core.spec import FailureAction, FailureRule

# A container whose image can't be pulled waits with the first reason after each try and with the second between them.
_SAME_WAIT: Final = {"ErrImagePull": Reason.IMAGE_PULL_BACK_OFF, Reason.IMAGE_PULL_BACK_OFF: "ErrImagePull"}


class Evidence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a failure looks."""

    reasons: frozenset[str] = frozenset()
    failed: tuple[FailedContainer, ...] = ()
    pod_conditions: tuple[tuple[str, str], ...] = ()
    waiting_reason: str = ""
    message: str = ""


class Ruling(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the rules say; `rule` counts from 0 and is None if none fits."""

    action: FailureAction = FailureAction.RETRY
    rule: int | None = None


def evidence_of_end(*, attempt: Attempt, pod: PodView | None) -> Evidence:
    """Return what an ended attempt shows. Without a pod that is only its record."""
    reasons = {attempt.reason}
    if pod is None:
        return Evidence(reasons=frozenset(reasons), message=attempt.message)
    reasons |= {pod.reason, pod.disruption, *(container.reason for container in pod.failed)}
    return Evidence(
        reasons=frozenset(reasons - {""}),
        failed=pod.failed,
        pod_conditions=pod.conditions,
        message=pod.message,
    )


def evidence_of_wait(*, reason: str, message: str, pod: PodView) -> Evidence:
    """Return what a pod shows whose container can't start.

    How its containers ended is left out: once we delete it, that tells of the deletion only, and the rules must say the
    same then.
    """
    return Evidence(reasons=frozenset({reason}), pod_conditions=pod.conditions, waiting_reason=reason, message=message)


def rule_on(*, rules: Iterable[FailureRule], evidence: Evidence) -> Ruling:
    """Return what the first rule that fits says; Retry if none does."""
    for number, rule in enumerate(rules):
        if _fits(rule, evidence):
            return Ruling(action=rule.action, rule=number)
    return Ruling()


def ends_wait(*, rules: Iterable[FailureRule], evidence: Evidence) -> bool:
    """Return whether a pod that waits must be ended: whether the first rule that fits names its waiting reason."""
    return next((bool(rule.waiting_reasons) for rule in rules if _fits(rule, evidence)), False)


def rules_problem(rules: Iterable[FailureRule]) -> str:
    """Return what is wrong with the rules, "" if nothing is."""
    size = 0
    for number, rule in enumerate(rules):
        where = f"spec.failurePolicy.rules[{number}]"
        unknown = sorted(rule.signals - SIGNALS)
        if unknown:
            return f"{where}.onSignals names {unknown[0]!r:.64}, which is no signal: write it like SIGKILL or SIGSEGV"
        if not rule.message:
            continue
        try:
            size += program_size(rule.message)
        except PatternError as error:
            return f"{where}.onMessage is no regular expression in RE2 syntax: {error}"
        if size > PROGRAM_LIMIT:
            return (
                f"{where}.onMessage is too large: all expressions of a job together may compile to {PROGRAM_LIMIT}"
                " instructions; write smaller repetitions"
            )
    return ""


def _fits(rule: FailureRule, evidence: Evidence) -> bool:
    # What is ignored counts as success, so nothing else may have failed: a rule on a proxy must not hide what the work did.
    quantifier = all if rule.action is FailureAction.IGNORE else any
    failed = evidence.failed
    return (
        (not rule.exit_codes or (bool(failed) and quantifier(_has_code(rule, container) for container in failed)))
        and (not rule.signals or (bool(failed) and quantifier(each.signal in rule.signals for each in failed)))
        and (not rule.reasons or _has_reason(rule, evidence))
        and (not rule.pod_conditions or any(condition in evidence.pod_conditions for condition in rule.pod_conditions))
        and (not rule.waiting_reasons or _waits(rule, evidence.waiting_reason))
        and (not rule.message or found(pattern=rule.message, text=_text(rule, evidence)))
    )


def _text(rule: FailureRule, evidence: Evidence) -> str:
    """Return what `onMessage` looks at: the termination message. Why a container waits is none, unless the rule is about a wait."""
    return "" if evidence.waiting_reason and not rule.waiting_reasons else evidence.message


def _has_reason(rule: FailureRule, evidence: Evidence) -> bool:
    if rule.reasons.isdisjoint(evidence.reasons):
        return False
    own = {container.reason for container in evidence.failed}
    return (
        rule.action is not FailureAction.IGNORE
        or own <= rule.reasons
        or not (evidence.reasons - own).isdisjoint(rule.reasons)
    )


def _has_code(rule: FailureRule, container: FailedContainer) -> bool:
    if container.exit_code is None or (rule.container and container.name != rule.container):
        return False
    return (container.exit_code in rule.exit_codes) is not rule.exit_codes_inverted


def _waits(rule: FailureRule, reason: str) -> bool:
    return reason in rule.waiting_reasons or _SAME_WAIT.get(reason) in rule.waiting_reasons
