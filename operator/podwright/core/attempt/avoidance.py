"""Where the next attempt had better not run: on the nodes of the last ones that failed.

A preference, never a demand: on a cluster of one node the job must still run.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from podwright.core.model.attempt import Attempt, Outcome
from podwright.core.spec import FailurePolicy

NODES_LIMIT: Final = 10
_WEIGHT: Final = 100  # the greatest there is


def nodes_to_avoid(*, policy: FailurePolicy, attempts: Iterable[Attempt]) -> tuple[str, ...]:
    """Return the nodes that the next attempt had better not run on, if the policy says so."""
    return failed_nodes(attempts) if policy.avoid_failed_nodes else ()


def failed_nodes(attempts: Iterable[Attempt]) -> tuple[str, ...]:
    """Return the different nodes of failed attempts, those of the last ones first."""
    failed = [a.node for a in attempts if a.node and a.outcome in (Outcome.FAILED, Outcome.LOST)]
    return tuple(dict.fromkeys(reversed(failed)))[:NODES_LIMIT]


def avoiding(affinity: dict[str, Any] | None, nodes: Sequence[str]) -> dict[str, Any] | None:
    """Return `spec.affinity` with a preference against `nodes` added; the given one is left as it is."""
    if not nodes:
        return affinity
    preference = {
        "weight": _WEIGHT,
        # By name: the label kubernetes.io/hostname is another one where nodes are named by their cloud. One value for each is the rule.
        "preference": {
            "matchFields": [
                {"key": "metadata.name", "operator": "NotIn", "values": [node]} for node in nodes[:NODES_LIMIT]
            ]
        },
    }
    whole = affinity or {}
    node = whole.get("nodeAffinity") or {}
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    return {**whole, "nodeAffinity": {**node, preferred: [*(node.get(preferred) or []), preference]}}
