"""What single answers tell: the object that was read, and of writes and lists of metadata only what is needed of them. Used by the runtime."""

import datetime
from typing import Final

import msgspec

from podwright.core.constants.names import FINALIZER
from podwright.core.job.identity import lacking
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.kube import poison
from podwright.kube.codecs.page import FAILURES, JOBS, PODS, ObjectList, Undecodable
from podwright.kube.codecs.pod_object import OwnerReference, PodLabels, marks_of
from podwright.kube.codecs.times import unix_seconds
from podwright.kube.errors import DecodeError


class ObjectMetadata(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a write's answer tells of the object it made. `created` in Unix seconds; `held` tells of our finalizer.

    `lacks` are the marks of a pod that a mutating policy took off (`core.job.identity`); of anything else it means nothing.
    """

    name: str
    namespace: str
    uid: str
    resource_version: int
    generation: int
    created: float
    held: bool
    lacks: tuple[str, ...] = ()


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    name: str
    uid: str
    resource_version: str
    creation_timestamp: datetime.datetime
    namespace: str = ""
    generation: int = 0
    finalizers: list[str] = []
    labels: PodLabels | None = None
    owner_references: list[OwnerReference] | None = None


class _Answer(msgspec.Struct, gc=False):
    metadata: _Metadata


class _Version(msgspec.Struct, gc=False):
    uid: str  # only an object has one, a list or a Status has not
    resource_version: str = msgspec.field(name="resourceVersion")


class _VersionAnswer(msgspec.Struct, gc=False):
    metadata: _Version


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_VERSIONS: Final = msgspec.json.Decoder(ObjectList[_VersionAnswer])
_VERSION_ANSWER: Final = msgspec.json.Decoder(_VersionAnswer)


def decode_job(body: bytes) -> JobView:
    """Decode the BatchJob of an answer.

    Raises:
        DecodeError: it is none, or one that we don't understand.
    """
    job = JOBS.item(body)
    if isinstance(job, Undecodable):
        raise DecodeError(_complaint(job))
    return job


def decode_pod(body: bytes) -> PodView | None:
    """Decode the pod of an answer; None if the answer is a Status instead, as it may be for a deletion.

    Raises:
        DecodeError: it is no pod, or one that we don't understand.
    """
    pod = PODS.item(body)
    if isinstance(pod, Undecodable):
        if poison.text_of(poison.members(body, ("kind",)).get("kind")) == "Status":
            return None
        raise DecodeError(_complaint(pod))
    return pod


def decode_metadata(body: bytes) -> ObjectMetadata:
    """Decode the metadata of an answer to a write, whether it is the whole object or a PartialObjectMetadata.

    Raises:
        DecodeError: the answer is no object.
    """
    try:
        metadata = _ANSWER.decode(body).metadata
        return ObjectMetadata(
            name=metadata.name,
            namespace=metadata.namespace,
            uid=metadata.uid,
            resource_version=int(metadata.resource_version),
            generation=metadata.generation,
            created=unix_seconds(metadata.creation_timestamp),
            held=FINALIZER in metadata.finalizers,
            lacks=lacking(marks_of(metadata.name, metadata.labels, metadata.owner_references)),
        )
    except FAILURES as error:
        raise DecodeError(f"the answer to a write has no metadata that we understand: {error}") from error


def decode_version_page(body: bytes) -> tuple[dict[str, int], int, str]:
    """Decode a page of a list, whole or of metadata; return the version of each object by its uid, the list's, and the continue token.

    Raises:
        DecodeError: the answer is no list of objects.
    """
    try:
        page = _VERSIONS.decode(body)
        versions = {item.metadata.uid: int(item.metadata.resource_version) for item in page.items or ()}
        return versions, int(page.metadata.resource_version), page.metadata.continue_token
    except FAILURES as error:
        raise DecodeError(f"the answer is no list of objects that we understand: {error}") from error


def decode_version(body: bytes) -> int:
    """Decode the resourceVersion of an answer to a write of which nothing else is news.

    Raises:
        DecodeError: the answer is no object.
    """
    try:
        return int(_VERSION_ANSWER.decode(body).metadata.resource_version)
    except FAILURES as error:
        raise DecodeError(f"the answer to a write has no resourceVersion that we understand: {error}") from error


def _complaint(item: Undecodable) -> str:
    where = f"{item.namespace}/{item.name}" if item.name else "an answer"
    return f"{where} is no {item.kind} that this version understands: {item.error}"
