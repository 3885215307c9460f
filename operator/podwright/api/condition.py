"""Conditions: the machine-readable part of every kind's status, in the shape of `metav1.Condition`."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from podwright.api.model import ApiModel, list_map
from podwright.api.scalars import Generation


class Condition(ApiModel):
    """One aspect of the object's state."""

    type: Annotated[str, Field(min_length=1, max_length=316)] = Field(description="Condition type. Example: Finished.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    observed_generation: Annotated[Generation, Field(ge=0)] | None = Field(
        None, description="The metadata.generation that it describes."
    )
    last_transition_time: datetime = Field(description="When status last changed.")
    # Kubernetes restricts the characters too, but a reason may stem from a pod, and a status must always be writable.
    reason: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="Why, in one CamelCase word for programs."
    )
    message: Annotated[str, Field(max_length=32768)] = Field(description="Explanation for people.")


Conditions = Annotated[list[Condition], Field(max_length=16), list_map("type")]
