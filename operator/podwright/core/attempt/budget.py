"""Who pays for a failure: which of `spec.retry`'s limits an attempt is charged to, by how it ended.

Facts: reasons that the control plane and the kubelet give (k8s.io/kubernetes: `pkg/apis/core/types.go` for DisruptionTarget,
`pkg/kubelet/lifecycle/predicate.go`, `pkg/kubelet/eviction`). `Evicted` alone proves no fault of the platform: the kubelet
also evicts a pod that exceeds its own storage limit. Only where it lacked resources itself does it set DisruptionTarget.
"""

from typing import Final

from podwright.core.spec import RetryPolicy
from podwright.core.view import Budget, PodView

DELETED_WHILE_RUNNING: Final = "DeletedWhileRunning"
_TIMEOUTS: Final = frozenset({"AttemptTimeout", "StartTimeout", "ProgressTimeout"})
_PLATFORM: Final = frozenset({"PodLost", "DeletedBeforeStart", DELETED_WHILE_RUNNING})
# The kubelet never let the pod's containers run, or the node went down with them.
_NODE_REASONS: Final = frozenset(
    {"NodeAffinity", "NodeLost", "NodeShutdown", "Preempting", "Shutdown", "Terminated", "UnexpectedAdmissionError"}
)
_REJECTED_PREFIX: Final = "OutOf"  # OutOfcpu, OutOfmemory, OutOfpods, …
_NODE_WENT: Final = frozenset({"DeletionByTaintManager", "DeletionByPodGC"})
_UNKNOWN_END: Final = "ContainerStatusUnknown"


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
    if pod.reason != "NodeLost" and pod.disruption not in _NODE_WENT:
        return False
    return all(container.reason == _UNKNOWN_END for container in pod.failed)


def _by_platform(*, reason: str, pod: PodView) -> bool:
    if pod.disruption and reason == pod.disruption:
        return True
    return pod.exit_code is None and (reason in _NODE_REASONS or reason.startswith(_REJECTED_PREFIX))
