"""A pod as the API server writes it. Used by `pod_decoding`.

The structs name the few fields that are looked at, so the decoder skips the rest of a pod without making objects of it.
"""

import datetime

import msgspec

from podwright.core.view import PodPhase


class OwnerReference(msgspec.Struct, gc=False, rename="camel"):
    """`metadata.ownerReferences[]`."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None


class PodMetadata(msgspec.Struct, gc=False, rename="camel"):
    """`metadata` of a pod."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    creation_timestamp: datetime.datetime
    deletion_timestamp: datetime.datetime | None = None
    deletion_grace_period_seconds: int | None = None
    finalizers: list[str] | None = None
    owner_references: list[OwnerReference] | None = None


class Waiting(msgspec.Struct, gc=False):
    """`state.waiting` of a container."""

    reason: str = ""
    message: str = ""


class Running(msgspec.Struct, gc=False, rename="camel"):
    """`state.running` of a container."""

    started_at: datetime.datetime | None = None


class Terminated(msgspec.Struct, gc=False, rename="camel"):
    """`state.terminated` of a container."""

    exit_code: int
    signal: int | None = None
    reason: str = ""
    message: str = ""
    started_at: datetime.datetime | None = None
    finished_at: datetime.datetime | None = None


class ContainerState(msgspec.Struct, gc=False):
    """`state` of a container."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(msgspec.Struct, gc=False):
    """`containerStatuses[]`, `initContainerStatuses[]`."""

    name: str = ""
    state: ContainerState | None = None


class PodCondition(msgspec.Struct, gc=False):
    """`status.conditions[]`."""

    type: str
    status: str
    reason: str = ""
    message: str = ""


class PodStatus(msgspec.Struct, gc=False, rename="camel"):
    """`status` of a pod."""

    phase: PodPhase = PodPhase.PENDING
    reason: str = ""
    message: str = ""
    start_time: datetime.datetime | None = None
    conditions: list[PodCondition] | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None


class PodSpec(msgspec.Struct, gc=False, rename="camel"):
    """`spec` of a pod."""

    node_name: str = ""
    termination_grace_period_seconds: int = 30


class Pod(msgspec.Struct, gc=False):
    """A pod."""

    metadata: PodMetadata
    spec: PodSpec
    status: PodStatus
