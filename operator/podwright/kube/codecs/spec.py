"""From the parts of a BatchJob's spec as the API server writes them to the views of `core.spec`. Pure; used by `job_decoding`."""

import datetime
from typing import Annotated, Final

import msgspec

from podwright.core.job.problem import array_problem
from podwright.core.spec import (
    ArraySpec,
    Dependency,
    DependencyCondition,
    Escalation,
    FailureAction,
    FailurePolicy,
    FailureRule,
    Otherwise,
    Retention,
    RetryPolicy,
)
from podwright.core.values.duration import parse_duration
from podwright.core.values.index_set import IndexSet
from podwright.kube.codecs.times import unix_seconds

Count = Annotated[int, msgspec.Meta(ge=0)]
_Positive = Annotated[int, msgspec.Meta(ge=1)]
_ZonedTime = Annotated[datetime.datetime, msgspec.Meta(tz=True)]
_DEFAULT_RETRY: Final = RetryPolicy()
_DEFAULT_FAILURE_POLICY: Final = FailurePolicy()
_NO_RETENTION: Final = Retention()


class Retry(msgspec.Struct, gc=False, rename="camel"):
    """`spec.retry`."""

    limit: Count = 3
    initial: str | None = None
    factor: _Positive = 2
    maximum: str | None = msgspec.field(name="max", default=None)
    platform_limit: Count = 10
    timeout_limit: Count | None = None


class SuccessPolicy(msgspec.Struct, gc=False):
    """`spec.array.successPolicy`."""

    count: _Positive | None = None
    indexes: str | None = None


class Array(msgspec.Struct, gc=False, rename="camel"):
    """`spec.array`."""

    size: _Positive | None = None
    items: list[str] | None = None
    indexes: str | None = None
    parallelism: _Positive = 100
    max_failed_tasks: Count | str | None = None
    success_policy: SuccessPolicy | None = None
    sequential: bool = False
    pack: _Positive = 1
    pack_parallelism: _Positive = 1


class ExitCodes(msgspec.Struct, gc=False, rename="camel"):
    """`onExitCodes`."""

    values: list[int]
    operator: str | None = None
    container_name: str = ""


class PodCondition(msgspec.Struct, gc=False):
    """`onPodConditions[]`."""

    type: str
    status: str | None = None


class Rule(msgspec.Struct, gc=False, rename="camel"):
    """`spec.failurePolicy.rules[]`."""

    action: FailureAction
    on_exit_codes: ExitCodes | None = None
    on_signals: list[str] | None = None
    on_reasons: list[str] | None = None
    on_pod_conditions: list[PodCondition] | None = None
    on_waiting_reasons: list[str] | None = None
    on_message: str = ""


class OnOutOfMemory(msgspec.Struct, gc=False, rename="camel"):
    """`spec.failurePolicy.onOutOfMemory`."""

    max_memory: int | str
    factor: str = "1.5"
    max_cpu: int | str | None = None


class Failures(msgspec.Struct, gc=False, rename="camel"):
    """`spec.failurePolicy`."""

    rules: list[Rule] | None = None
    on_out_of_memory: OnOutOfMemory | None = None
    avoid_failed_nodes: bool = True
    same_failure_nodes: _Positive | None = None
    quarantine_after: _Positive = 3


class DependsOn(msgspec.Struct, gc=False):
    """`spec.dependsOn[]`."""

    name: str
    condition: DependencyCondition = DependencyCondition.SUCCEEDED
    tasks: str = "All"
    otherwise: Otherwise = Otherwise.FAIL


class Keep(msgspec.Struct, gc=False, rename="camel"):
    """`spec.retention`."""

    succeeded_seconds: Count | None = None
    failed_seconds: Count | None = None
    cancelled_seconds: Count | None = None
    pod_seconds: Count | None = None


def retry_policy(retry: Retry | None) -> RetryPolicy:
    """Return the view of `spec.retry`."""
    if retry is None:
        return _DEFAULT_RETRY
    initial, maximum = seconds(retry.initial), seconds(retry.maximum)
    if initial is None:
        initial = _DEFAULT_RETRY.initial if maximum is None else min(_DEFAULT_RETRY.initial, maximum)
    if maximum is None:
        maximum = max(_DEFAULT_RETRY.maximum, initial)
    policy = RetryPolicy(
        limit=retry.limit,
        initial=initial,
        factor=retry.factor,
        maximum=maximum,
        platform_limit=retry.platform_limit,
        timeout_limit=retry.timeout_limit,
    )
    return _DEFAULT_RETRY if policy == _DEFAULT_RETRY else policy


def seconds(duration: str | None) -> float | None:
    """Return a duration's seconds, None for one that is not set."""
    return None if duration is None else parse_duration(duration)


def moment(text: object) -> tuple[float | None, str]:
    """Return `spec.startAt` as Unix seconds, and what is wrong with it: the schema's pattern lets February have 31 days."""
    if text is None:
        return None, ""
    try:
        return unix_seconds(msgspec.convert(text, type=_ZonedTime)), ""
    except (msgspec.ValidationError, OverflowError):
        return None, f"spec.startAt {text!r:.64} is no time: write one such as 2027-01-31T08:00:00Z"


def array_spec(array: Array) -> tuple[ArraySpec, str]:
    """Return the view of `spec.array`, and what is wrong with it ("" if nothing is).

    Raises:
        ValueError: neither size nor items is there, or a share is malformed.
    """
    items = tuple(array.items or ())
    size = array.size or len(items)
    if not size:
        raise ValueError("spec.array has neither size nor items")
    policy = array.success_policy
    chosen, malformed = _index_set(array.indexes, field="indexes")
    needed, malformed_too = _index_set(None if policy is None else policy.indexes, field="successPolicy.indexes")
    count = None if policy is None else policy.count
    problem = malformed or malformed_too
    problem = problem or array_problem(
        size=size,
        items=items,
        tasks=chosen,
        success=needed,
        success_count=count,
        sequential=array.sequential,
        pack=array.pack,
    )
    tasks = IndexSet.up_to(size) if chosen is None else chosen
    view = ArraySpec(
        size=size,
        tasks=tasks,
        items=items,
        parallelism=array.parallelism,
        most_failed=_tasks_of(array.max_failed_tasks, size=len(tasks)),
        success_count=count,
        success_indexes=needed,
        sequential=array.sequential,
        pack=array.pack,
        pack_parallelism=array.pack_parallelism,
    )
    return view, problem


def _index_set(text: str | None, *, field: str) -> tuple[IndexSet | None, str]:
    """Read an index set, and say what is wrong with it: the schema's pattern lets a range end before it begins."""
    if text is None:
        return None, ""
    try:
        return IndexSet.parse(text), ""
    except ValueError as error:
        return None, f"spec.array.{field} is not a set of indexes: {error}"


def failure_policy(failures: Failures | None) -> FailurePolicy:
    """Return the view of `spec.failurePolicy`.

    Raises:
        ValueError: the escalation's factor is no number.
    """
    if failures is None:
        return _DEFAULT_FAILURE_POLICY
    more = failures.on_out_of_memory
    return FailurePolicy(
        rules=tuple(_rule(rule) for rule in failures.rules or ()),
        escalation=None
        if more is None
        else Escalation(
            factor=float(more.factor),
            max_memory=str(more.max_memory),
            max_cpu="" if more.max_cpu is None else str(more.max_cpu),
        ),
        avoid_failed_nodes=failures.avoid_failed_nodes,
        same_failure_nodes=failures.same_failure_nodes,
        quarantine_after=failures.quarantine_after,
    )


def dependency(entry: DependsOn) -> Dependency:
    """Return the view of an entry of `spec.dependsOn`."""
    return Dependency(
        name=entry.name,
        condition=entry.condition,
        task_by_task=entry.tasks == "NToN",
        otherwise=entry.otherwise,
    )


def retention(*, ttl: int | None, keep: Keep | None, gitops: bool) -> Retention:
    """Merge `spec.ttlSecondsAfterFinished` with `spec.retention`, which wins where it says something."""
    if keep is None:
        return _NO_RETENTION if ttl is None and not gitops else _uniform(ttl, gitops=gitops)

    def time_of(own: int | None) -> float | None:
        chosen = ttl if own is None else own
        return None if chosen is None else float(chosen)

    return Retention(
        succeeded=time_of(keep.succeeded_seconds),
        failed=time_of(keep.failed_seconds),
        cancelled=time_of(keep.cancelled_seconds),
        pods=None if keep.pod_seconds is None else float(keep.pod_seconds),
        gitops=gitops,
    )


def _uniform(ttl: int | None, *, gitops: bool) -> Retention:
    time = None if ttl is None else float(ttl)
    return Retention(succeeded=time, failed=time, cancelled=time, gitops=gitops)


def _tasks_of(count_or_share: int | str | None, *, size: int) -> int | None:
    if count_or_share is None or isinstance(count_or_share, int):
        return count_or_share
    return size * int(count_or_share.removesuffix("%")) // 100


def _rule(rule: Rule) -> FailureRule:
    codes = rule.on_exit_codes
    return FailureRule(
        action=rule.action,
        exit_codes=frozenset() if codes is None else frozenset(codes.values),
        exit_codes_inverted=codes is not None and codes.operator == "NotIn",
        container="" if codes is None else codes.container_name,
        signals=frozenset(rule.on_signals or ()),
        reasons=frozenset(rule.on_reasons or ()),
        pod_conditions=tuple(
            (condition.type, condition.status or "True") for condition in rule.on_pod_conditions or ()
        ),
        waiting_reasons=frozenset(rule.on_waiting_reasons or ()),
        message=rule.on_message,
    )
