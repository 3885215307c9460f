"""The content of a `coordination.k8s.io/v1` Lease, read and written. Pure; used by `lease`."""

import datetime
from typing import Any, Final

import msgspec

from podwright.kube.errors import DecodeError
from podwright.kube.times import format_micro_time, unix_seconds

_LARGEST_EPOCH: Final = 2**31 - 1  # the API's type


class LeaseRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A Lease as it was read; fields that nobody has set are empty or 0. `duration` in seconds.

    `renewed` is only compared for change, never as a time: the holder's clock may be anywhere.
    """

    uid: str
    resource_version: str
    holder: str
    duration: float
    renewed: str
    transitions: int
    created: float

    @property
    def least_epoch(self) -> int:
        """Give the epoch below which no acquisition may start: the minutes from 1970 to the Lease's creation.

        A Lease that was deleted and made anew would count from 0 again and so reuse epochs. Since acquisitions are rarer
        than one a minute, counting from the creation (by the API server's clock) stays above all earlier ones.
        """
        return int(self.created // 60)

    def same_holding(self, other: "LeaseRecord | None") -> bool:
        """Tell whether the holder has not moved between two readings, whatever others changed in labels or annotations."""
        return (
            other is not None
            and self.uid == other.uid
            and self.holder == other.holder
            and self.renewed == other.renewed
            and self.transitions == other.transitions
        )


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    uid: str
    resource_version: str
    creation_timestamp: datetime.datetime


class _Spec(msgspec.Struct, gc=False, rename="camel"):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class _Lease(msgspec.Struct, gc=False):
    metadata: _Metadata
    spec: _Spec | None = None


_LEASE: Final = msgspec.json.Decoder(_Lease)


def decode_lease(body: bytes) -> LeaseRecord:
    """Decode a Lease.

    Raises:
        DecodeError: the answer is none.
    """
    try:
        lease = _LEASE.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DecodeError(f"an answer is no Lease: {error}") from error
    spec = lease.spec or _Spec()
    return LeaseRecord(
        uid=lease.metadata.uid,
        resource_version=lease.metadata.resource_version,
        holder=spec.holder_identity or "",
        duration=float(spec.lease_duration_seconds or 0),
        renewed=spec.renew_time or "",
        transitions=spec.lease_transitions or 0,
        created=unix_seconds(lease.metadata.creation_timestamp),
    )


def lease_path(namespace: str, name: str = "") -> str:
    """Give the path of a Lease, or of all of a namespace."""
    collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    return f"{collection}/{name}" if name else collection


def new_lease(*, namespace: str, name: str) -> bytes:
    """Write the body that creates a Lease that nobody holds."""
    metadata = {"namespace": namespace, "name": name}
    return msgspec.json.encode({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata})


def lease_patch(
    *, replaces: LeaseRecord, holder: str, epoch: int, duration: float, now: float, acquired: bool
) -> bytes:
    """Write the merge patch that renews, takes or (with an empty holder) gives back a Lease.

    Args:
        replaces: the reading that must still be true for the patch to be accepted.
        holder: the holder's identity.
        epoch: the epoch of the holding.
        duration: seconds for which others leave the Lease alone.
        now: Unix seconds, for people.
        acquired: whether the holding begins.
    """
    spec: dict[str, Any] = {
        "holderIdentity": holder,
        "leaseDurationSeconds": int(duration),
        "renewTime": format_micro_time(now),
        "leaseTransitions": min(epoch, _LARGEST_EPOCH),
    }
    if acquired:
        spec["acquireTime"] = spec["renewTime"]
    return msgspec.json.encode(
        {"metadata": {"uid": replaces.uid, "resourceVersion": replaces.resource_version}, "spec": spec}
    )
