"""How long a pod stays bound to a node that went silent: `spec.workerTimeoutSeconds`.

Kubernetes marks such a node with the taints below. A pod that tolerates them for so many seconds is deleted after that; without
our tolerations an admission plugin of the API server adds its own, mostly of 300 seconds.
"""

from typing import Any, Final

_TAINTS: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def tolerating_silence(tolerations: list[dict[str, Any]], *, seconds: int) -> list[dict[str, Any]]:
    """Add a toleration for each of the taints that the template doesn't tolerate in its own way."""
    return [
        *tolerations,
        *(
            {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}
            for taint in _TAINTS
            if not any(_covers(toleration, taint) for toleration in tolerations)
        ),
    ]


def _covers(toleration: dict[str, Any], taint: str) -> bool:
    # One without a key and with Exists tolerates everything; one without an effect tolerates all effects.
    named = toleration.get("key") == taint or (not toleration.get("key") and toleration.get("operator") == "Exists")
    return named and toleration.get("effect") in (None, "", "NoExecute")
