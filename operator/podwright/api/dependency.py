"""`spec.dependsOn[]`: jobs that must reach a state before this one starts."""

from typing import Literal

from pydantic import Field

from podwright.api.model import ApiModel
from podwright.api.scalars import ObjectName


class Dependency(ApiModel):
    """Another BatchJob of the same namespace, which need not exist yet."""

    name: ObjectName = Field(description="Its name.")
    condition: Literal["Succeeded", "Failed", "Finished", "Started"] = Field(
        "Succeeded", description="State that it must reach. Default: Succeeded."
    )
    tasks: Literal["All", "NToN"] = Field(
        "All", description="NToN: task i of this array waits for task i of that one only. Default: All."
    )
    otherwise: Literal["Fail", "Skip", "Run"] = Field(
        "Fail", description="What happens to this job when the condition can no longer be met. Default: Fail."
    )
