"""The pod that a new leader asks about, by dry runs, to prove its fence (`runtime.fence`). Pure. It is never stored, nor started.

Every Pod Security level allows it. It names no resources at first: any amount could be too little or too much for a LimitRange, whose
defaults need none to be named. Some LimitRanges have no defaults and refuse pods without resources, before the fence is asked; what
they ask for, only their refusal says.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from podwright.core.constants import names

_UNNAMED: Final = re.compile(
    r"(minimum|maximum) (\S+) usage per (?:Pod|Container) is ([^\s,]+)\.\s+No (?:request|limit) is specified"
)
_RATIO: Final = re.compile(
    r"([^\s\[]+) max limit to request ratio per (?:Pod|Container) is [^\s,]+, but no (?:request|limit) is specified"
)
_ANY: Final = {"cpu": "100m"}
_ANY_BYTES: Final = "64Mi"


def demanded(refusal: str) -> dict[str, str]:
    """Return the amounts, by resource, with which a pod would pass the LimitRange that refused it for naming none."""
    amounts = {resource: _ANY.get(resource, _ANY_BYTES) for resource in _RATIO.findall(refusal)}
    found = _UNNAMED.findall(refusal)
    for bound in ("maximum", "minimum"):
        amounts |= {resource: amount for kind, resource, amount in found if kind == bound}
    return amounts


def probe(*, shard: int, epoch: int, resources: Mapping[str, str]) -> dict[str, Any]:
    """Build a pod as a leader of this epoch would create it."""
    container: dict[str, Any] = {
        "name": "never-started",
        "image": "podwright.dev/none",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if resources:
        container["resources"] = {"requests": dict(resources), "limits": dict(resources)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "podwright-fence-",
            "labels": {names.LABEL_SHARD: str(shard)},
            "annotations": {names.ANNOTATION_EPOCH: str(epoch)},
        },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    }
