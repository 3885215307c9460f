"""Whether an array as a whole is to be ended early: its pods take nodes down, or its tasks fail alike wherever they run.

The rules of single jobs (`core.job.single.ended`), for a job of many pods. A large array loses nodes and has tasks with bad data although
nothing is wrong with it, and its successes show it: nodes count against it only while there are more of them than tasks that have
succeeded. What one task does counts for itself: the record's groups say how often it was lost (see ADR 0016).
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from podwright.core.job.array.ends import UnitEnd
from podwright.core.model.array import ArrayRecord, FailureOnNode
from podwright.core.model.attempt import Budget
from podwright.core.model.job import JobView
from podwright.core.run.stop import Stop
from podwright.core.spec import FailureAction

NODES_KEPT: Final = 10
"""Lost nodes that are remembered, and successes beyond which there is no use in that: the policy's numbers end there."""
FAILURES_KEPT: Final = 20
_REASON_LIMIT: Final = 128
_NAMED: Final = 3
_OWN: Final = (Budget.USER, Budget.TIMEOUT)


class Suspicion(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why the array is to end: the reason, which is that of stopping its pods too, and a sentence."""

    stop: Stop
    message: str


def with_nodes(*, job: JobView, record: ArrayRecord, ends: Iterable[UnitEnd]) -> ArrayRecord:
    """Return the record with the nodes on it that `ends` name: each once, whichever and however many tasks were there."""
    if len(record.succeeded) >= NODES_KEPT:
        return msgspec.structs.replace(record, lost_nodes=(), node_failures=())
    lost, failures = dict.fromkeys(record.lost_nodes), dict.fromkeys(record.node_failures)
    for end in ends:
        verdict, attempt = end.verdict, end.verdict.attempt
        if not attempt.node or not verdict.failed or verdict.succeeded or verdict.final:
            continue
        if verdict.lost_node:
            lost.setdefault(attempt.node)
        elif attempt.budget in _OWN and verdict.action is FailureAction.RETRY and not end.reported:
            reason = attempt.reason[:_REASON_LIMIT]
            failures.setdefault(FailureOnNode(node=attempt.node, reason=reason, exit_code=attempt.exit_code))
    if job.failure_policy.same_failure_nodes is None:
        failures = {}
    return msgspec.structs.replace(
        record, lost_nodes=tuple(lost)[-NODES_KEPT:], node_failures=tuple(failures)[-FAILURES_KEPT:]
    )


def suspicion(*, job: JobView, record: ArrayRecord) -> Suspicion | None:
    """Return why the array must not go on, None if nothing is held against it."""
    return _one_takes_nodes_down(job, record) or _all_take_nodes_down(job, record) or _all_fail_alike(job, record)


def _one_takes_nodes_down(job: JobView, record: ArrayRecord) -> Suspicion | None:
    most = job.failure_policy.quarantine_after
    group = next((group for group in record.retries if group.lost_nodes >= most), None)
    if group is None:
        return None
    what = "task" if job.array is None or job.array.pack == 1 else "pack"
    told = f"attempts of {what} {group.indexes.ranges[0][0]} were lost with their nodes {group.lost_nodes} times"
    return Suspicion(stop=Stop.QUARANTINED, message=f"{told}: it may be what ends them")


def _all_take_nodes_down(job: JobView, record: ArrayRecord) -> Suspicion | None:
    nodes = record.lost_nodes
    if len(nodes) < job.failure_policy.quarantine_after or len(record.succeeded) >= len(nodes):
        return None
    told = f"pods were lost with {len(nodes)} nodes ({_some(nodes)}){_so_far(record)}"
    return Suspicion(stop=Stop.QUARANTINED, message=f"{told}: the job may be what ends them")


def _all_fail_alike(job: JobView, record: ArrayRecord) -> Suspicion | None:
    wanted = job.failure_policy.same_failure_nodes
    if wanted is None:
        return None
    alike: dict[tuple[str, int | None], list[str]] = {}
    for failure in record.node_failures:
        alike.setdefault((failure.reason, failure.exit_code), []).append(failure.node)
    for (reason, code), nodes in alike.items():
        if len(nodes) >= wanted and len(record.succeeded) < len(nodes):
            how = f"{'' if code is None else f' with exit code {code}'} ({reason})"
            where = f"in the same way on {len(nodes)} different nodes ({_some(nodes)})"
            told = f"tasks failed{how}, {where}{_so_far(record)}: the nodes aren't at fault"
            return Suspicion(stop=Stop.SAME_FAILURE, message=told)
    return None


def _some(nodes: Iterable[str]) -> str:
    names = tuple(nodes)
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


def _so_far(record: ArrayRecord) -> str:
    count = len(record.succeeded)
    return f", and {count or 'no'} {'tasks have' if count > 1 else 'task has'} succeeded"
