"""`spec.timeouts.progress`: the first container is ended when it leaves its heartbeat file untouched for too long.

The kubelet runs a small shell program in the container now and then (a liveness probe). It keeps beside the file when it last saw it
changed, by the time since boot: no clock can be set back under it. No process of ours runs meanwhile, and no API request is made.
The message that it leaves (`core.attempt.termination_message`) is how the verdict tells this end from others.
"""

import math
from typing import Any, Final

from podwright.core.constants import names
from podwright.core.job.pod.environment import literal, with_variables

VOLUME: Final = "podwright"
DIRECTORY: Final = "/run/podwright"
FILE: Final = f"{DIRECTORY}/heartbeat"
_SAFE_TO_EVICT: Final = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
_PROBE_LIMIT: Final = 30  # seconds; a busy container must not be killed because the probe is slow

# $1 is the file, $2 the limit in seconds, $3 where the message goes. Shells that compare times of files by whole seconds can miss a
# touch in the second after the last one seen: the limit is 2 seconds longer, so that none is ended early.
_PROBE: Final = r"""read -r now _ </proc/uptime || exit 0
now=${now%.*}
if ! [ -e "$1.seen" ] || [ "$1" -nt "$1.seen" ]; then echo "$now" >"$1.seen"; exit 0; fi
read -r seen <"$1.seen" || exit 0
[ $((now - seen)) -ge $(($2 + 2)) ] || exit 0
echo "podwright: no progress for $2s" >"$3"
exit 1
"""


def with_heartbeat(spec: dict[str, Any], *, limit: float, packed: bool) -> dict[str, Any]:
    """Return a pod's spec whose first container has the file, its variable and the probe. `limit` in seconds.

    In a pack the message goes to a file beside the heartbeat: the runner writes the termination message, and includes it.
    """
    first, *others = spec["containers"]
    message = f"{FILE}.stalled" if packed else first.get("terminationMessagePath") or "/dev/termination-log"
    seconds = math.ceil(limit)
    changed = {
        **with_variables(first, {names.ENV_HEARTBEAT_FILE: FILE}),
        "volumeMounts": [*(first.get("volumeMounts") or []), {"name": VOLUME, "mountPath": DIRECTORY}],
        "livenessProbe": {
            "exec": {"command": ["sh", "-c", literal(_PROBE), "podwright-probe", FILE, str(seconds), literal(message)]},
            "periodSeconds": max(1, min(30, seconds // 8)),
            "timeoutSeconds": _PROBE_LIMIT,
            "failureThreshold": 1,
        },
    }
    return {
        **spec,
        "containers": [changed, *others],
        "volumes": [*(spec.get("volumes") or []), {"name": VOLUME, "emptyDir": {}}],
    }


def with_eviction(annotations: dict[str, str]) -> dict[str, str]:
    """Return the pod's annotations with one that lets the cluster autoscaler remove its node despite the volume added above."""
    own = [name.strip() for name in annotations.get(_SAFE_TO_EVICT, "").split(",")]
    return {**annotations, _SAFE_TO_EVICT: ",".join(dict.fromkeys(name for name in (*own, VOLUME) if name))}


def heartbeat_problem(spec: dict[str, Any]) -> str:
    """Return why the first container can't be watched for progress, "" if it can."""
    first = (spec.get("containers") or [{}])[0]
    where = "spec.timeouts.progress needs the liveness probe of the first container for itself, but"
    if first.get("livenessProbe") is not None:
        return f"{where} spec.template.spec.containers[0].livenessProbe is set: remove one of the two"
    if any(volume.get("name") == VOLUME for volume in spec.get("volumes") or []):
        return f"spec.timeouts.progress adds a volume named {VOLUME}, but the template has one: give that another name"
    if any(mount.get("mountPath", "").rstrip("/") == DIRECTORY for mount in first.get("volumeMounts") or []):
        return f"spec.timeouts.progress mounts {DIRECTORY}, but the template does so too: mount that elsewhere"
    return ""
