"""Identity and rights of a pod's processes."""

from typing import Annotated, Literal

from pydantic import Field

from podwright.api.model import ATOMIC, OpenModel
from podwright.api.scalars import Opaque, Path, UserId, Word


class SeccompProfile(OpenModel):
    """Which system calls are allowed."""

    type: Literal["RuntimeDefault", "Unconfined", "Localhost"] = Field(
        description="RuntimeDefault: the container runtime's filter; Unconfined: none; Localhost: a file on the node."
    )
    localhost_profile: Path | None = Field(
        None, description="The file, below the kubelet's directory; with Localhost only."
    )


class Capabilities(OpenModel):
    """Rights of the superuser, one by one."""

    add: Annotated[list[Word], Field(max_length=64), ATOMIC] | None = Field(
        None, description="Capabilities to add. Example: NET_ADMIN."
    )
    drop: Annotated[list[Word], Field(max_length=64), ATOMIC] | None = Field(
        None, description="Capabilities to drop. Example: ALL."
    )


class _Identity(OpenModel):
    run_as_user: UserId | None = Field(None, description="User id of the processes. Default: the image's.")
    run_as_group: UserId | None = Field(None, description="Group id of the processes. Default: the image's.")
    run_as_non_root: bool | None = Field(None, description="Refuse to start as user 0. Default: false.")
    seccomp_profile: SeccompProfile | None = Field(None, description="The filter of system calls.")


class ContainerSecurity(_Identity):
    """Of one container; wins over the pod's."""

    privileged: bool | None = Field(None, description="Run with all privileges on the node. Default: false.")
    allow_privilege_escalation: bool | None = Field(
        None, description="Whether a process may gain more privileges than its parent. Default: true."
    )
    read_only_root_filesystem: bool | None = Field(None, description="Whether / is read-only. Default: false.")
    capabilities: Capabilities | None = Field(None, description="Kernel capabilities added and dropped.")


class PodSecurity(_Identity):
    """Of all containers."""

    fs_group: UserId | None = Field(None, description="Group id that owns the volumes. Default: none.")
    fs_group_change_policy: Literal["Always", "OnRootMismatch"] | None = Field(
        None, description="When a volume's files are given to fsGroup. Default: Always."
    )
    supplemental_groups: Annotated[list[UserId], Field(max_length=64), ATOMIC] | None = Field(
        None, description="Further group ids of the processes."
    )
    sysctls: Annotated[list[Opaque], Field(max_length=64), ATOMIC] | None = Field(
        None, description="Kernel parameters, each {name, value}."
    )
