"""The pod template: what is copied into the pod of each attempt.

The template is one atomic value, so no field of it may have a default in the schema: the API server would compare what a user applies
again with what it had filled in, and report a conflict (ADR 0020). The operator fills in what it needs (`core.job.pod`).
"""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from podwright.api.model import ATOMIC, ApiModel, OpenModel, Rule, list_map, rules, validated_by
from podwright.api.pod.container import Container, InitContainer, Resources
from podwright.api.pod.scheduling import Affinity, Toleration, TopologySpread
from podwright.api.pod.security import PodSecurity
from podwright.api.pod.volume import Volume
from podwright.api.scalars import Argument, Int64, Labels, ObjectName, Word
from podwright.core.constants.names import GROUP

_MAX_CONTAINERS: Final = 16


def _not_reserved(what: str) -> Any:
    return rules(
        Rule(
            rule=f"self.all(k, !k.startsWith('{GROUP}/'))",
            message=f"keys that begin with {GROUP}/ are Podwright's own: choose another {what} key",
        ),
        Rule(
            rule="self.all(k, !format.qualifiedName().validate(k).hasValue())",
            message=f"invalid {what} key: allowed are letters, digits, '-', '_' and '.', at most 63 characters, "
            "optionally after a DNS name and '/'",
        ),
    )


class TemplateMetadata(ApiModel):
    """Metadata of the pods."""

    labels: Annotated[Labels, _not_reserved("label")] | None = Field(
        None, description=f"Labels of the pods, besides Podwright's own. Keys below {GROUP}/ are reserved."
    )
    annotations: Annotated[dict[str, Argument], Field(max_length=64), _not_reserved("annotation")] | None = Field(
        None, description=f"Annotations of the pods, besides Podwright's own. Keys below {GROUP}/ are reserved."
    )


class LocalReference(OpenModel):
    """An object of the same namespace."""

    name: Word = Field(description="Name of the object.")


class HostAlias(OpenModel):
    """A line of /etc/hosts."""

    ip: Annotated[str, Field(min_length=1, max_length=45)] = Field(description="The address.")
    hostnames: Annotated[list[Word], Field(max_length=64), ATOMIC] | None = Field(
        None, description="Host names that stand for it."
    )


_DECLARED = "self.{list}.all(c, !has(c.volumeMounts) || c.volumeMounts.all(m, has(self.volumes) && self.volumes.exists(v, v.name == m.name)))"


def _mounts_declared(containers: str) -> Rule:
    return Rule(
        rule=("" if containers == "containers" else f"!has(self.{containers}) || ") + _DECLARED.format(list=containers),
        message="a container mounts a volume that the pod doesn't have: each volumeMounts[].name must be one of volumes[].name",
        field_path=f".{containers}",
    )


class PodSpec(OpenModel):
    """What runs, with what, and where."""

    model_config = validated_by(
        Rule(
            rule="!has(self.initContainers) || self.initContainers.all(i, !self.containers.exists(c, c.name == i.name))",
            message="an init container has the name of a container: names must be unique in the pod",
            field_path=".initContainers",
        ),
        _mounts_declared("containers"),
        _mounts_declared("initContainers"),
    )

    containers: Annotated[list[Container], Field(min_length=1, max_length=_MAX_CONTAINERS), list_map("name")] = Field(
        description="The containers, side by side; the attempt succeeds when all have ended with exit code 0."
    )
    init_containers: Annotated[list[InitContainer], Field(max_length=_MAX_CONTAINERS), list_map("name")] | None = Field(
        None, description="Containers that run before the others, one after the other, each to exit code 0."
    )
    restart_policy: Literal["Never"] | None = Field(
        None,
        description="Only Never: Podwright itself retries, each attempt in a new pod (see spec.retry). Default: Never.",
    )
    volumes: Annotated[list[Volume], Field(max_length=64), list_map("name")] | None = Field(
        None, description="Volumes that containers may mount."
    )
    node_selector: Labels | None = Field(None, description="Labels that the node must have.")
    affinity: Affinity | None = Field(None, description="Node and pod affinity.")
    tolerations: Annotated[list[Toleration], Field(max_length=64), ATOMIC] | None = Field(
        None, description="Taints of nodes that don't keep the pod away."
    )
    topology_spread_constraints: (
        Annotated[list[TopologySpread], Field(max_length=16), list_map("topologyKey", "whenUnsatisfiable")] | None
    ) = Field(None, description="Even distribution over zones, nodes and the like.")
    priority_class_name: ObjectName | None = Field(
        None,
        description="PriorityClass of the pods, for Kubernetes' scheduler. Not to be confused with spec.priority. "
        "Default: the cluster's default class.",
    )
    service_account_name: ObjectName | None = Field(None, description="Service account of the pods. Default: default.")
    automount_service_account_token: bool | None = Field(
        None,
        description="Whether the pods get a token for the Kubernetes API. Unlike in a bare pod the default is false: "
        "set it to true if the job talks to the API server.",
    )
    image_pull_secrets: Annotated[list[LocalReference], Field(max_length=16), list_map("name")] | None = Field(
        None, description="Secrets with credentials for image registries."
    )
    security_context: PodSecurity | None = Field(None, description="Identity and rights of all containers' processes.")
    termination_grace_period_seconds: Annotated[Int64, Field(ge=0)] | None = Field(
        None,
        description="Seconds between SIGTERM and SIGKILL when the pod is stopped. 0 counts as 1, since a pod that is removed at once "
        "may run on unseen. Default: 30.",
    )
    active_deadline_seconds: Annotated[Int64, Field(ge=1)] | None = Field(
        None, description="As in a pod; prefer spec.timeouts.attempt. Default: no limit."
    )
    resources: Resources | None = Field(
        None, description="Compute resources of all containers together, where the cluster supports it. Default: none."
    )
    host_aliases: Annotated[list[HostAlias], Field(max_length=64), list_map("ip")] | None = Field(
        None, description="Extra entries in /etc/hosts."
    )
    runtime_class_name: ObjectName | None = Field(
        None, description="RuntimeClass that runs the containers. Default: the node's own runtime."
    )


class PodTemplate(ApiModel):
    """What is copied into the pod of each attempt."""

    metadata: TemplateMetadata | None = Field(None, description="Labels and annotations of the pods.")
    spec: PodSpec = Field(
        description="What runs, as in the spec of a pod. Fields of a pod that aren't described here are passed on untouched."
    )
