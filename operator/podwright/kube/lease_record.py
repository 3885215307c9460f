"""The content of a `coordination.k8s.io/v1` Lease, read and written. Pure; used by `lease`."""

import datetime
from typing import Final

import msgspec

from podwright.kube.codecs.times import unix_seconds
from podwright.kube.errors import DecodeError
from podwright.kube.paths import LEASES, resource_path

_TYPE: Final = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
_FIRST_EPOCH_AT: Final = 1_300_000_000  # Unix seconds
_LARGEST_EPOCH: Final = 2**31 - 1  # the API's type


class LeaseRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A Lease as it was read; fields that nobody has set are empty or 0. `duration` in seconds.

    `renewed` is only compared for change, never as a time: the holder's clock may be anywhere. `metadata` is the raw JSON,
    with uid and resourceVersion, to be sent back as it is: labels and annotations belong to others.
    """

    uid: str
    metadata: bytes
    holder: str
    duration: float
    renewed: str
    transitions: int
    created: float
    version: int = 0

    @property
    def least_epoch(self) -> int:
        """Return the epoch below which no acquisition may start: the seconds from March 2011 to the Lease's creation.

        A Lease that was deleted and made anew would count from 0 again and so reuse epochs. Since acquisitions are rarer
        than one a second, counting from the creation (by the API server's clock) stays above all earlier ones. The number
        fits the API's type until 2079.
        """
        return int(self.created) - _FIRST_EPOCH_AT

    def same_holding(self, other: "LeaseRecord | None") -> bool:
        """Return whether the holder has not moved between two readings, whatever others changed in labels or annotations."""
        return (
            other is not None
            and self.uid == other.uid
            and self.holder == other.holder
            and self.renewed == other.renewed
            and self.transitions == other.transitions
        )


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    uid: str
    resource_version: str  # required: without it an update would not be a compare-and-swap
    creation_timestamp: datetime.datetime


class _Spec(msgspec.Struct, gc=False, rename="camel"):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class _Lease(msgspec.Struct, gc=False):
    metadata: msgspec.Raw
    spec: _Spec | None = None


_LEASE: Final = msgspec.json.Decoder(_Lease)
_METADATA: Final = msgspec.json.Decoder(_Metadata)


def decode_lease(body: bytes) -> LeaseRecord:
    """Decode a Lease.

    Raises:
        DecodeError: the answer is none.
    """
    try:
        lease = _LEASE.decode(body)
        metadata = _METADATA.decode(lease.metadata)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DecodeError(f"an answer is no Lease: {error}") from error
    spec = lease.spec or _Spec()
    return LeaseRecord(
        uid=metadata.uid,
        metadata=bytes(lease.metadata),
        holder=spec.holder_identity or "",
        duration=float(spec.lease_duration_seconds or 0),
        renewed=spec.renew_time or "",
        transitions=spec.lease_transitions or 0,
        created=unix_seconds(metadata.creation_timestamp),
        version=int(metadata.resource_version) if metadata.resource_version.isdigit() else 0,
    )


def lease_path(namespace: str, name: str = "") -> str:
    """Return the path of a Lease, or of all of a namespace."""
    return resource_path(LEASES, namespace=namespace, name=name)


def new_lease(*, namespace: str, name: str) -> bytes:
    """Write the body that creates a Lease that nobody holds."""
    return msgspec.json.encode({**_TYPE, "metadata": {"namespace": namespace, "name": name}})


def lease_update(
    *, replaces: LeaseRecord, holder: str, epoch: int, duration: float, acquired: str, renewed: str
) -> bytes:
    """Write the body that renews, takes or (with an empty holder) gives back a Lease.

    Args:
        replaces: the reading that must still be true for the update to be accepted.
        holder: the holder's identity.
        epoch: the epoch of the holding.
        duration: seconds for which others leave the Lease alone.
        acquired: when the holding began, as a MicroTime, for people.
        renewed: now, as a MicroTime; a change of it is what others watch for.
    """
    spec = {
        "holderIdentity": holder,
        "leaseDurationSeconds": int(duration),
        "acquireTime": acquired,
        "renewTime": renewed,
        "leaseTransitions": min(epoch, _LARGEST_EPOCH),
    }
    return msgspec.json.encode({**_TYPE, "metadata": msgspec.Raw(replaces.metadata), "spec": spec})
