"""The Lease of an idempotency key, read and written: lock while its holder lives, tombstone for a while after. Pure.

`holderIdentity` is the holder's uid, and annotations say where that job is, since a uid alone can't be looked up. `renewTime` is
when the holder ended, absent while that is not on record.
"""

import datetime
from typing import Final, Literal

import msgspec

from podwright.core.commands import ClaimKey
from podwright.core.constants.limits import MOST_DEDUP_SECONDS
from podwright.core.constants.names import (
    ANNOTATION_JOB,
    ANNOTATION_JOB_NAMESPACE,
    ANNOTATION_WINDOW,
    LABEL_JOB_UID,
    LABEL_KEY_LEASE,
)
from podwright.kube.codecs.requests import ApiRequest, pods_path
from podwright.kube.codecs.times import format_micro_time, unix_seconds
from podwright.kube.errors import DecodeError
from podwright.kube.lease_record import lease_path

_TYPE: Final = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}


class KeyLease(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The Lease of a key. `window` in seconds, times in Unix seconds."""

    name: str
    uid: str
    version: str
    holder_uid: str
    job_namespace: str
    job_name: str
    window: float
    claimed: float
    ended: float | None = None


class KeyLeases(msgspec.Struct, frozen=True, gc=False):
    """A page of them; those that could not be understood are left out and only counted."""

    leases: list[KeyLease]
    strange: int
    continue_token: str


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    name: str
    uid: str
    resource_version: str
    annotations: dict[str, str] | None = None


class _Spec(msgspec.Struct, gc=False, rename="camel"):
    holder_identity: str
    acquire_time: datetime.datetime
    renew_time: datetime.datetime | None = None


class _Lease(msgspec.Struct, gc=False):
    metadata: _Metadata
    spec: _Spec


class _ListMetadata(msgspec.Struct, gc=False):
    continue_token: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct, gc=False):
    metadata: _ListMetadata
    items: list[msgspec.Raw] | None = None


class _PodsMetadata(msgspec.Struct, gc=False, rename="camel"):
    resource_version: str


class _Pods(msgspec.Struct, gc=False):
    """A list of pods, of which all is required: what any other JSON says must not count as "no pod is left"."""

    kind: Literal["PodList"]
    metadata: _PodsMetadata
    items: list[msgspec.Raw] | None


class _Expired(msgspec.Struct, gc=False):
    metadata: _ListMetadata


_LEASE: Final = msgspec.json.Decoder(_Lease)
_EXPIRED: Final = msgspec.json.Decoder(_Expired)
_PODS: Final = msgspec.json.Decoder(_Pods)
_LIST: Final = msgspec.json.Decoder(_List)
_LONGEST_WINDOW: Final = 4 * 99_999 * 3600.0  # seconds; the longest duration that can be written
_FAILURES: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)


def decode_key_lease(body: bytes) -> KeyLease:
    """Decode the Lease of a key.

    Raises:
        DecodeError: it is none that we wrote.
    """
    try:
        lease = _LEASE.decode(body)
        annotations = lease.metadata.annotations or {}
        return KeyLease(
            name=lease.metadata.name,
            uid=lease.metadata.uid,
            version=lease.metadata.resource_version,
            holder_uid=lease.spec.holder_identity,
            job_namespace=annotations[ANNOTATION_JOB_NAMESPACE],
            job_name=annotations[ANNOTATION_JOB],
            window=_window(annotations[ANNOTATION_WINDOW]),
            claimed=unix_seconds(lease.spec.acquire_time),
            ended=None if lease.spec.renew_time is None else unix_seconds(lease.spec.renew_time),
        )
    except KeyError as error:
        raise DecodeError(f"the Lease of a key lacks the annotation {error}") from error
    except _FAILURES as error:
        raise DecodeError(f"an answer is no Lease of a key: {error}") from error


def _window(text: str) -> float:
    seconds = float(text)
    if not 0.0 <= seconds <= _LONGEST_WINDOW:  # which not a number isn't either
        raise ValueError(f"a window of {text} seconds")
    # Versions before the limit wrote windows of up to 45 years.
    return min(seconds, MOST_DEDUP_SECONDS)


def decode_key_leases(body: bytes) -> KeyLeases:
    """Decode a page of Leases.

    Raises:
        DecodeError: the answer is no list.
    """
    try:
        page = _LIST.decode(body)
    except _FAILURES as error:
        raise DecodeError(f"an answer is no list of Leases: {error}") from error
    leases = []
    strange = 0
    for item in page.items or ():
        try:
            leases.append(decode_key_lease(bytes(item)))
        except DecodeError:
            strange += 1
    return KeyLeases(leases, strange, page.metadata.continue_token)


def claim_key(command: ClaimKey, *, namespace: str) -> ApiRequest:
    """Create the Lease with the job as its holder, or take over the very one that was judged to be over."""
    lease = KeyLease(
        name=command.lease_name,
        uid=command.replaced_uid,
        version=command.replaced_version,
        holder_uid=command.of.uid,
        job_namespace=command.namespace,
        job_name=command.name,
        window=command.window,
        claimed=command.at,
    )
    if command.replaced_uid:
        return replace_key_lease(lease, namespace=namespace)
    return ApiRequest(method="POST", path=lease_path(namespace), body=_body(lease, namespace=namespace))


def replace_key_lease(lease: KeyLease, *, namespace: str) -> ApiRequest:
    """Write the Lease, provided it is still the version that `lease` was made from."""
    path = lease_path(namespace, lease.name)
    return ApiRequest(method="PUT", path=path, body=_body(lease, namespace=namespace))


def get_key_lease(*, namespace: str, name: str) -> ApiRequest:
    """Read the Lease of a key."""
    return ApiRequest(method="GET", path=lease_path(namespace, name))


def list_key_leases(*, namespace: str, limit: int, continue_token: str) -> ApiRequest:
    """Read a page of the Leases of keys."""
    query = {"labelSelector": LABEL_KEY_LEASE, "limit": str(limit)}
    if continue_token:
        query["continue"] = continue_token
    return ApiRequest(method="GET", path=lease_path(namespace), query=query)


def continue_token_in(body: bytes) -> str:
    """Return the token with which an expired list may be gone on with; "" if the answer brings none: start anew."""
    try:
        return _EXPIRED.decode(body).metadata.continue_token
    except _FAILURES:
        return ""


def delete_key_lease(lease: KeyLease, *, namespace: str) -> ApiRequest:
    """Delete exactly this version of the Lease."""
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": lease.uid, "resourceVersion": lease.version},
    }
    return ApiRequest(method="DELETE", path=lease_path(namespace, lease.name), body=msgspec.json.encode(options))


def any_running_pod_of(*, namespace: str, job_uid: str) -> ApiRequest:
    """Ask whether a job has a pod left that has not ended: a list of at most one."""
    query = {
        "labelSelector": f"{LABEL_JOB_UID}={job_uid}",
        "fieldSelector": "status.phase!=Succeeded,status.phase!=Failed",
        "limit": "1",
    }
    return ApiRequest(method="GET", path=pods_path(namespace), query=query)


def is_empty_list(body: bytes) -> bool:
    """Return whether a list of pods has no items.

    Raises:
        DecodeError: the answer is no list of pods.
    """
    try:
        pods = _PODS.decode(body)
    except _FAILURES as error:
        raise DecodeError(f"an answer is no list of pods: {error}") from error
    if not pods.metadata.resource_version:
        raise DecodeError("an answer is no list of pods: it has no resourceVersion")
    return not pods.items


def _body(lease: KeyLease, *, namespace: str) -> bytes:
    metadata: dict[str, object] = {
        "namespace": namespace,
        "name": lease.name,
        "labels": {LABEL_KEY_LEASE: "claimed", "app.kubernetes.io/managed-by": "podwright"},
        "annotations": {
            ANNOTATION_JOB_NAMESPACE: lease.job_namespace,
            ANNOTATION_JOB: lease.job_name,
            ANNOTATION_WINDOW: f"{lease.window:.3f}",
        },
    }
    if lease.uid:
        metadata["uid"] = lease.uid
        metadata["resourceVersion"] = lease.version
    spec = {"holderIdentity": lease.holder_uid, "acquireTime": format_micro_time(lease.claimed)}
    if lease.ended is not None:
        spec["renewTime"] = format_micro_time(lease.ended)
    return msgspec.json.encode({**_TYPE, "metadata": metadata, "spec": spec})
