"""`spec.retention`: what is kept for how long, where `ttlSecondsAfterFinished` is too coarse."""

from pydantic import Field

from podwright.api.model import ApiModel
from podwright.api.scalars import Count


class Retention(ApiModel):
    """Seconds after the end, by outcome. What isn't given follows ttlSecondsAfterFinished."""

    succeeded_seconds: Count | None = Field(None, description="For a job that succeeded.")
    failed_seconds: Count | None = Field(None, description="For one that failed.")
    cancelled_seconds: Count | None = Field(None, description="For one that was cancelled or skipped.")
    pod_seconds: Count | None = Field(
        None,
        description="For the pods of each attempt, with their logs, after the job's end. Default: as long as the job.",
    )
