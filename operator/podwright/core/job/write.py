"""The one command that several policies of a job make: replacing its status under the version that was decided on."""

from podwright.core.commands import WriteStatus
from podwright.core.model.job import JobStatus, JobView


def write_status(*, job: JobView, status: JobStatus, deferrable: bool = False) -> WriteStatus:
    """Ask for `status` to be written, provided the job is still as it was seen."""
    return WriteStatus(
        of=job.ref,
        namespace=job.namespace,
        name=job.name,
        resource_version=job.resource_version,
        status=status,
        deferrable=deferrable,
    )
