"""What a DELETE does to the stored object: graceful deletion of pods, finalizers, and propagation.

A pure function; `api` stores what it decides. Source: `k8s.io/apiserver/pkg/registry/rest` (BeforeDelete) and
`registry/generic/registry` (the handling of finalizers), as observed on a real API server.
"""

from typing import Any

import msgspec

from tests.support.simulator.clock import parse_timestamp, timestamp
from tests.support.simulator.errors import bad_request, conflict, invalid
from tests.support.simulator.kinds import POD, Kind

Document = dict[str, Any]


class Preconditions(msgspec.Struct, frozen=True):
    """Of `DeleteOptions`."""

    uid: str | None = None
    resource_version: str | None = msgspec.field(default=None, name="resourceVersion")


class DeleteOptions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of a DELETE. With a body, the query's parameters of the same meaning are ignored."""

    grace_period_seconds: int | None = None
    preconditions: Preconditions = Preconditions()
    propagation_policy: str | None = None
    orphan_dependents: bool | None = None
    dry_run: tuple[str, ...] = ()


class Step(msgspec.Struct, frozen=True):
    """What to store: a changed version first, if any, and then whether the object goes."""

    changed: Document | None
    removed: bool


def parse_options(body: bytes) -> DeleteOptions:
    """Read a DELETE's body.

    Raises:
        ApiError: it cannot be understood.
    """
    try:
        options = msgspec.json.decode(body, type=DeleteOptions)
    except msgspec.DecodeError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error
    policy = options.propagation_policy
    if policy is not None and (
        policy not in ("Foreground", "Background", "Orphan") or options.orphan_dependents is not None
    ):
        raise invalid("DeleteOptions", "", ("propagationPolicy", f'Unsupported value: "{policy}"'), group="meta.k8s.io")
    return options


def check_preconditions(kind: Kind, metadata: Document, wanted: Preconditions) -> None:
    """Refuse to delete another object than the one that the client means."""
    for what, want, found in (
        ("UID", wanted.uid, metadata["uid"]),
        ("ResourceVersion", wanted.resource_version, metadata["resourceVersion"]),
    ):
        if want is not None and want != found:
            why = f"the {what} in the precondition ({want}) does not match the {what} in record ({found})."
            raise conflict(kind.kind if kind.custom else kind.plural, metadata["name"], why, group=kind.group)


def delete_step(kind: Kind, document: Document, options: DeleteOptions, *, now: float) -> Step:
    """Decide what a DELETE stores."""
    metadata = document["metadata"]
    grace = options.grace_period_seconds
    if grace is not None and grace < 0:
        grace = 1
    graceful: Document | None = None
    if kind is POD:
        if "deletionTimestamp" in metadata:
            held = metadata["deletionGracePeriodSeconds"]
            if grace is None or grace >= held:
                return Step(None, removed=False)
            asked = parse_timestamp(metadata["deletionTimestamp"]) - held
            graceful = {"deletionTimestamp": timestamp(asked + grace), "deletionGracePeriodSeconds": grace}
        else:
            grace = _pod_grace(document, grace)
            graceful = {"deletionTimestamp": timestamp(now + grace), "deletionGracePeriodSeconds": grace}
            graceful["generation"] = metadata["generation"] + 1

    finalizers = _finalizers_after(metadata.get("finalizers", []), options)
    if graceful is None:
        if not finalizers:
            return Step(None, removed=True)
        graceful = _marked(metadata, now=now)
    changed = {
        key: value
        for key, value in {**metadata, **graceful, "finalizers": finalizers}.items()
        if key != "finalizers" or value
    }
    removed = not finalizers and graceful.get("deletionGracePeriodSeconds") == 0
    return Step({**document, "metadata": changed}, removed=removed)


def goes_with_update(metadata: Document) -> bool:
    """Return whether this version of an object in deletion holds nothing any more that keeps it."""
    return (
        "deletionTimestamp" in metadata
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
    )


def _pod_grace(document: Document, asked: int | None) -> int:
    spec = document["spec"]
    # Nothing can run any more, or nothing was ever started.
    if not spec.get("nodeName") or document.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    period: int = spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked
    return max(period, 1) if asked is None or period < 0 else period


def _marked(metadata: Document, *, now: float) -> Document:
    if "deletionTimestamp" in metadata:
        return {"deletionGracePeriodSeconds": 0}
    marks: Document = {"deletionTimestamp": timestamp(now), "deletionGracePeriodSeconds": 0}
    if "generation" in metadata:
        marks["generation"] = metadata["generation"] + 1
    return marks


def _finalizers_after(finalizers: list[str], options: DeleteOptions) -> list[str]:
    policy = options.propagation_policy
    if policy is None and options.orphan_dependents is not None:
        policy = "Orphan" if options.orphan_dependents else "Background"
    if policy is None:
        return finalizers
    wanted = {"Orphan": "orphan", "Foreground": "foregroundDeletion"}.get(policy)
    kept = [finalizer for finalizer in finalizers if finalizer not in ("orphan", "foregroundDeletion")]
    return [*kept, wanted] if wanted else kept
