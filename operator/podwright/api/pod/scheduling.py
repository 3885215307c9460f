"""Where a pod may run."""

from typing import Annotated, Literal

from pydantic import Field

from podwright.api.model import OpenModel
from podwright.api.scalars import Int32, Int64, Opaque, Selector, Word


class Affinity(OpenModel):
    """Attraction to and repulsion from nodes and other pods."""

    node_affinity: Opaque | None = Field(None, description="By labels of nodes. As in a pod.")
    pod_affinity: Opaque | None = Field(None, description="Near pods with certain labels. As in a pod.")
    pod_anti_affinity: Opaque | None = Field(None, description="Away from pods with certain labels. As in a pod.")


class Toleration(OpenModel):
    """A taint that doesn't keep the pod away."""

    key: Selector | None = Field(None, description="Key of the taint. Default: every key, with operator Exists.")
    operator: Word | None = Field(None, description="Equal compares the value, Exists doesn't. Default: Equal.")
    value: Word | None = Field(None, description="Value of the taint; with Equal only.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint. Default: every effect."
    )
    toleration_seconds: Int64 | None = Field(
        None, description="Seconds that the pod stays after a NoExecute taint was added. Default: forever."
    )


class TopologySpread(OpenModel):
    """Even distribution over a kind of places."""

    topology_key: Selector = Field(
        description="Label of nodes that names the place. Example: topology.kubernetes.io/zone."
    )
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(
        description="DoNotSchedule makes the pod wait, ScheduleAnyway makes it a preference."
    )
    max_skew: Annotated[Int32, Field(ge=1)] = Field(
        description="Greatest allowed difference, in pods, between two places."
    )
    label_selector: Opaque | None = Field(None, description="Which pods are counted. As in a pod.")
