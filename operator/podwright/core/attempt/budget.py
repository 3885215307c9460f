"""Who pays for a failure: which of `spec.retry`'s limits an attempt is charged to, by how it ended.

Facts: reasons that the control plane and the kubelet give (k8s.io/kubernetes: `pkg/apis/core/types.go` for DisruptionTarget,
`pkg/kubelet/lifecycle/predicate.go`, `pkg/kubelet/eviction`). `Evicted` alone proves no fault of the platform: the kubelet
also evicts a pod that exceeds its own storage limit. Only where it lacked resources itself does it set DisruptionTarget.
"""

from typing import Final

from podwright.core.constants.reasons import Reason
from podwright.core.model.attempt import Budget
from podwright.core.model.pod import PodPhase, PodView
from podwright.core.spec import RetryPolicy

DELETED_WHILE_RUNNING: Final = Reason.DELETED_WHILE_RUNNING
_TIMEOUTS: Final = frozenset({Reason.ATTEMPT_TIMEOUT, Reason.START_TIMEOUT, Reason.PROGRESS_TIMEOUT})
_PLATFORM: Final = frozenset({Reason.POD_LOST, Reason.DELETED_BEFORE_START, DELETED_WHILE_RUNNING})
# The node went down with the pod's containers.
_NODE_REASONS: Final = frozenset(
    {Reason.NODE_LOST, Reason.NODE_SHUTDOWN, Reason.SHUTDOWN, Reason.TERMINATED, "Unknown"}
)
# A pod may end for these reasons of its own before any of its containers ran.
_OWN_REASONS: Final = frozenset({Reason.EVICTED, Reason.ERROR, "DeadlineExceeded"})
_NODE_WENT: Final = frozenset({Reason.DELETION_BY_TAINT_MANAGER, Reason.DELETION_BY_POD_GC})
_UNKNOWN_ENDS: Final = frozenset({Reason.CONTAINER_STATUS_UNKNOWN, "Unknown"})


def budget_of(*, reason: str, pod: PodView | None, policy: RetryPolicy) -> Budget:
    """Return the budget of a failed attempt, before any rule is asked.

    Args:
        reason: the attempt's reason.
        pod: its pod as it was last seen, if it ever had one.
        policy: without a `timeout_limit` of its own, a timeout is a failure like any other.
    """
    if reason in _TIMEOUTS:
        return Budget.USER if policy.timeout_limit is None else Budget.TIMEOUT
    if reason in _PLATFORM or (pod is not None and _by_platform(reason=reason, pod=pod)):
        return Budget.PLATFORM
    return Budget.USER


def lost_with_node(pod: PodView) -> bool:
    """Return whether the pod went because its node did, rather than being moved off a node that lives.

    A node that lives reports how the containers ended before the pod is taken away.
    """
    if pod.reason != Reason.NODE_LOST and pod.disruption not in _NODE_WENT:
        return False
    return all(container.exit_code is None and container.reason in _UNKNOWN_ENDS for container in pod.failed)


def _by_platform(*, reason: str, pod: PodView) -> bool:
    if pod.disruption and reason == pod.disruption:
        return True
    if pod.exit_code is not None:
        return False
    return reason in _NODE_REASONS or _was_turned_away(reason=reason, pod=pod)


def _was_turned_away(*, reason: str, pod: PodView) -> bool:
    """Return whether the kubelet never let any container run: it says why as the pod's own reason, and in many words.

    NodePorts, TopologyAffinityError, OutOfcpu, …: all of them are about this node, so another may take the pod.
    """
    refused = pod.phase is PodPhase.FAILED and not pod.failed and pod.containers_started is None
    return refused and bool(pod.reason) and reason == pod.reason and reason not in _OWN_REASONS
