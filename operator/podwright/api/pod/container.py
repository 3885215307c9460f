"""Containers of a pod."""

from typing import Annotated, Literal

from pydantic import Field

from podwright.api.model import ATOMIC, OpenModel, Rule, list_map, rules, validated_by
from podwright.api.pod.environment import EnvironmentSource, Variable
from podwright.api.pod.security import ContainerSecurity
from podwright.api.scalars import Argument, Label, Opaque, Path, Port, Quantities


class ContainerPort(OpenModel):
    """A port that the container listens on."""

    container_port: Port = Field(description="The port's number.")
    protocol: Literal["TCP", "UDP", "SCTP"] | None = Field(None, description="The protocol. Default: TCP.")
    name: Annotated[str, Field(max_length=15)] | None = Field(
        None, description="A name by which a Service may refer to it."
    )


class Resources(OpenModel):
    """Compute resources of a container."""

    model_config = validated_by(
        Rule(
            rule="!has(self.requests) || !has(self.limits) || self.requests.all(k, !(k in self.limits)"
            " || !isQuantity(string(self.requests[k])) || !isQuantity(string(self.limits[k]))"
            " || quantity(string(self.requests[k])).compareTo(quantity(string(self.limits[k]))) <= 0)",
            message="a request is greater than its limit: it must be at most the limit",
            field_path=".requests",
        )
    )

    requests: Quantities | None = Field(
        None,
        description='What the scheduler sets aside, by resource: cpu in cores (500m is half of one; a fraction such as "0.5" needs '
        "quotes), memory and ephemeral-storage in bytes (256Mi). Default: the limits.",
    )
    limits: Quantities | None = Field(
        None, description="What the container may use at most, in the same units. Too much memory kills it (OOMKilled)."
    )
    claims: Annotated[list[Opaque], Field(max_length=32), ATOMIC] | None = Field(
        None, description="Dynamic resource claims of the pod that it uses, each {name, request}."
    )


class VolumeMount(OpenModel):
    """Where a volume appears in the container."""

    name: Label = Field(description="Name of one of the pod's volumes.")
    mount_path: Path = Field(description="Where it is mounted. Example: /data.")
    sub_path: Path | None = Field(None, description="Which path of the volume is mounted. Default: its root.")
    read_only: bool | None = Field(None, description="Whether it is read-only. Default: false.")


_RestartRules = Annotated[
    list[Opaque],
    Field(max_length=8),
    ATOMIC,
    rules(
        Rule(
            rule="self.size() == 0",
            message="isn't supported: Podwright itself retries, each attempt in a new pod (see spec.retry)",
        )
    ),
]


class Container(OpenModel):
    """One container."""

    name: Label = Field(description="Name of the container, unique in the pod: a DNS label. Example: main.")
    image: Annotated[str, Field(max_length=1024)] = Field(
        description="The image to run. Name a tag or digest that doesn't move. Example: busybox:1.37."
    )
    command: Annotated[list[Argument], Field(max_length=1024), ATOMIC] | None = Field(
        None,
        description="Replaces the image's entry point; no shell is involved. $(NAME) is replaced by a variable. "
        'Example: ["python", "-m", "report"].',
    )
    args: Annotated[list[Argument], Field(max_length=1024), ATOMIC] | None = Field(
        None, description="Arguments of the command; replaces the image's. $(NAME) is replaced by a variable."
    )
    working_dir: Path | None = Field(None, description="Directory in which the command starts. Default: the image's.")
    env: Annotated[list[Variable], Field(max_length=512), list_map("name")] | None = Field(
        None, description="Environment variables."
    )
    env_from: Annotated[list[EnvironmentSource], Field(max_length=64), ATOMIC] | None = Field(
        None, description="ConfigMaps and Secrets all of whose keys become variables."
    )
    ports: Annotated[list[ContainerPort], Field(max_length=64), ATOMIC] | None = Field(
        None, description="Ports that the container listens on."
    )
    resources: Resources | None = Field(None, description="Compute resources that it needs and may use.")
    volume_mounts: Annotated[list[VolumeMount], Field(max_length=64), list_map("mountPath")] | None = Field(
        None, description="Volumes of the pod to mount."
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None, description="When the image is pulled. Default: Always for the tag latest or none, else IfNotPresent."
    )
    security_context: ContainerSecurity | None = Field(None, description="Identity and rights of its processes.")
    restart_policy: Literal["Never"] | None = Field(
        None, description="Only Never: Podwright itself retries, each attempt in a new pod (see spec.retry)."
    )
    restart_policy_rules: _RestartRules | None = Field(None, description="Not supported (see spec.retry).")
    termination_message_path: Path | None = Field(
        None,
        description="File whose content becomes the attempt's message when the container ends. "
        "Default: /dev/termination-log.",
    )
    termination_message_policy: Literal["File", "FallbackToLogsOnError"] | None = Field(
        None,
        description="FallbackToLogsOnError takes the end of the log if the file is empty and the container failed. "
        "Unlike in a bare pod that is the default.",
    )


class InitContainer(Container):
    """A container that runs before the others."""

    restart_policy: Literal["Always", "Never"] | None = Field(  # type: ignore[assignment]
        None,
        description="Always makes it a sidecar, which runs beside the containers, is restarted when it ends, and doesn't keep the "
        "job from ending. Default: Never.",
    )
