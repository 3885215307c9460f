"""A pod as the API server writes it. Used by `pod_decoding`.

The structs name the few fields that are looked at, so the decoder skips the rest of a pod without making objects of it.
"""

import datetime
from typing import Final

import msgspec

from podwright.core.constants.names import (
    GROUP,
    JOB_KIND,
    LABEL_ATTEMPT,
    LABEL_JOB,
    LABEL_JOB_UID,
    LABEL_TASK_INDEX,
)
from podwright.core.job.identity import PodMarks
from podwright.core.model.pod import PodPhase

_GROUP_PREFIX: Final = f"{GROUP}/"


class OwnerReference(msgspec.Struct, gc=False, rename="camel"):
    """`metadata.ownerReferences[]`."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None


class PodLabels(msgspec.Struct, gc=False):
    """Those of `metadata.labels` that the operator set."""

    job: str = msgspec.field(name=LABEL_JOB, default="")
    job_uid: str = msgspec.field(name=LABEL_JOB_UID, default="")
    task_index: str = msgspec.field(name=LABEL_TASK_INDEX, default="")
    attempt: str = msgspec.field(name=LABEL_ATTEMPT, default="")


NO_LABELS: Final = PodLabels()


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
    labels: PodLabels | None = None
    owner_references: list[OwnerReference] | None = None


def marks_of(name: str, labels: PodLabels | None, owner_references: list[OwnerReference] | None) -> PodMarks:
    """Return what the metadata of a pod says of where it comes from. Only a BatchJob that controls the pod counts as its owner."""
    labels = labels or NO_LABELS
    owner_uid = owner_name = ""
    for owner in owner_references or ():
        if owner.controller and owner.kind == JOB_KIND and owner.api_version.startswith(_GROUP_PREFIX):
            owner_uid, owner_name = owner.uid, owner.name
            break
    return PodMarks(
        name=name,
        job_uid=labels.job_uid,
        job_name=labels.job,
        task_index=labels.task_index,
        attempt=labels.attempt,
        owner_uid=owner_uid,
        owner_name=owner_name,
    )


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
