"""A BatchJob built from the flags of `podwright submit`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from podwright.cli.connection import Object
from podwright.cli.errors import MisuseError
from podwright.core.constants import names

DEFAULT_PREFIX: Final = "job-"
_CONTAINER: Final = "main"


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A volume and where the container finds it."""

    source: Mapping[str, Any]
    path: str
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Flags:
    """A job as the flags describe it; parts that aren't given are empty, and left to the API's defaults."""

    name: str
    image: str
    command: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    env: Sequence[Mapping[str, str]] = ()
    env_from: Sequence[Mapping[str, Any]] = ()
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    volumes: Sequence[Volume] = ()
    service_account: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    retry: int | None = None
    attempt_timeout: str | None = None
    total_timeout: str | None = None
    size: int | None = None
    items: Sequence[str] = ()
    parallelism: int | None = None
    pack: int | None = None
    max_failed_tasks: int | str | None = None
    priority: int | None = None
    idempotency_key: str | None = None
    depends_on: Sequence[Mapping[str, Any]] = ()
    start_at: str | None = None
    ttl_seconds: int | None = None
    suspend: bool = False


def from_flags(flags: Flags, *, namespace: str | None) -> Object:
    """Build the job; without a namespace it goes where the reader of the manifest says.

    Raises:
        MisuseError: flags contradict each other.
    """
    spec = {
        "array": _array(flags),
        "retry": _given({"limit": flags.retry}),
        "timeouts": _given({"attempt": flags.attempt_timeout, "total": flags.total_timeout}),
        "priority": flags.priority,
        "suspend": flags.suspend or None,
        "idempotencyKey": flags.idempotency_key,
        "dependsOn": [dict(each) for each in flags.depends_on],
        "startAt": flags.start_at,
        "ttlSecondsAfterFinished": flags.ttl_seconds,
        "template": {"spec": _pod(flags)},
    }
    meta = {
        **({"name": flags.name} if flags.name else {"generateName": DEFAULT_PREFIX}),
        "namespace": namespace,
        "labels": dict(flags.labels),
        "annotations": dict(flags.annotations),
    }
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "metadata": _given(meta),
        "spec": _given(spec),
    }


def _array(flags: Flags) -> dict[str, Any] | None:
    if flags.size is not None and flags.items:
        raise MisuseError("Give either --array or --items, not both.")
    wanted = flags.size is not None or bool(flags.items)
    array = {
        "size": flags.size,
        "items": list(flags.items),
        "parallelism": flags.parallelism,
        "pack": flags.pack,
        "maxFailedTasks": flags.max_failed_tasks,
    }
    if not wanted and _given(array):
        raise MisuseError(
            "--parallelism, --pack and --max-failed-tasks are for arrays.",
            remedy="Say how many tasks there are with --array or --items.",
        )
    return _given(array) if wanted else None


def _pod(flags: Flags) -> dict[str, Any]:
    volumes = list(enumerate(flags.volumes))
    container = {
        "name": _CONTAINER,
        "image": flags.image,
        "command": list(flags.command),
        "env": [dict(each) for each in flags.env],
        "envFrom": [dict(each) for each in flags.env_from],
        "resources": _given({"requests": dict(flags.requests), "limits": dict(flags.limits)}),
        "volumeMounts": [
            _given({"name": f"volume-{number}", "mountPath": each.path, "readOnly": each.read_only or None})
            for number, each in volumes
        ],
    }
    return _given(
        {
            "serviceAccountName": flags.service_account or None,
            # Who names a service account means to use it; Podwright mounts no token unasked.
            "automountServiceAccountToken": True if flags.service_account else None,
            "nodeSelector": dict(flags.node_selector),
            "containers": [_given(container)],
            "volumes": [{"name": f"volume-{number}", **each.source} for number, each in volumes],
        }
    )


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is empty; 0 and false are something."""
    return {key: value for key, value in fields.items() if value is not None and value not in ({}, [])}
