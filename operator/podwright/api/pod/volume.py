"""Volumes of a pod: the common sources typed, others kept as they are."""

from typing import Annotated

from pydantic import Field

from podwright.api.model import ATOMIC, OpenModel, Rule, validated_by
from podwright.api.scalars import FileMode, Key, Label, Opaque, Path, SingleQuantity, Word

_SOURCES = (
    "emptyDir",
    "configMap",
    "secret",
    "persistentVolumeClaim",
    "projected",
    "hostPath",
    "ephemeral",
    "csi",
    "nfs",
)


class KeyToPath(OpenModel):
    """One key as a file."""

    key: Key = Field(description="The key.")
    path: Path = Field(description="The file, relative to the mount. Example: config/app.yaml.")
    mode: FileMode | None = Field(None, description="Permissions of the file. Default: the volume's.")


class _Files(OpenModel):
    items: Annotated[list[KeyToPath], Field(max_length=256), ATOMIC] | None = Field(
        None, description="Which keys become which files. Default: each key, under its own name."
    )
    default_mode: FileMode | None = Field(None, description="Permissions of the files. Default: 0644.")
    optional: bool | None = Field(None, description="Whether it may be missing. Default: false.")


class ConfigMapVolume(_Files):
    """Files from a ConfigMap."""

    name: Word = Field(description="Name of the ConfigMap, in the job's namespace.")


class SecretVolume(_Files):
    """Files from a Secret."""

    secret_name: Word = Field(description="Name of the Secret, in the job's namespace.")


class EmptyDirectory(OpenModel):
    """Scratch space."""

    medium: Word | None = Field(None, description="Memory for a RAM disk. Default: the node's disk.")
    size_limit: SingleQuantity | None = Field(None, description="Maximum size. Example: 1Gi. Default: no limit.")


class ClaimVolume(OpenModel):
    """Persistent storage."""

    claim_name: Word = Field(description="Name of the PersistentVolumeClaim, in the job's namespace.")
    read_only: bool | None = Field(None, description="Whether it is read-only. Default: false.")


class HostPath(OpenModel):
    """Files of the node."""

    path: Path = Field(description="The path on the node.")
    type: Word | None = Field(None, description="What must exist there. Example: Directory. Default: not checked.")


class NetworkFiles(OpenModel):
    """An NFS export."""

    server: Word = Field(description="Host name or address of the server.")
    path: Path = Field(description="Path that the server exports.")
    read_only: bool | None = Field(None, description="Whether it is read-only. Default: false.")


class Volume(OpenModel):
    """One volume and its source."""

    model_config = validated_by(
        Rule(
            rule=f"[{', '.join(f'has(self.{source})' for source in _SOURCES)}].filter(x, x).size() <= 1",
            message="has more than one source: only one is allowed",
        )
    )

    name: Label = Field(description="Name by which containers mount it, unique in the pod: a DNS label.")
    empty_dir: EmptyDirectory | None = Field(None, description="Scratch space that lives as long as the pod.")
    config_map: ConfigMapVolume | None = Field(None, description="A ConfigMap's keys as files.")
    secret: SecretVolume | None = Field(None, description="A Secret's keys as files.")
    persistent_volume_claim: ClaimVolume | None = Field(None, description="Storage that outlives the pod.")
    projected: Opaque | None = Field(None, description="Several sources in one directory. As in a pod.")
    host_path: HostPath | None = Field(None, description="Files of the node; many clusters forbid it.")
    ephemeral: Opaque | None = Field(
        None, description="A claim that is made for and deleted with the pod. As in a pod."
    )
    csi: Opaque | None = Field(None, description="A volume that a CSI driver makes for the pod. As in a pod.")
    nfs: NetworkFiles | None = Field(None, description="An NFS export.")
