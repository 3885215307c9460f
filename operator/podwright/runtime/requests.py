"""From a command to the request that carries it out: adds what only the runtime knows, the tenure, to what `kube` encodes."""

from podwright.core.commands import (
    Command,
    ConfirmPod,
    CreatePod,
    DeleteJob,
    DeletePod,
    NoteProblem,
    ReleasePod,
    WriteStatus,
)
from podwright.core.job.pod_template import build_pod
from podwright.core.view import JobView
from podwright.kube import encode
from podwright.kube.encode import ApiRequest
from podwright.runtime.tenure import Tenure


def request_for(command: Command, *, job: JobView | None, tenure: Tenure) -> ApiRequest:
    """Encode a command that writes.

    Raises:
        ValueError: the command does not write, or a pod is to be created for a job that is not known.
    """
    match command:
        case CreatePod() if job is not None:
            body = build_pod(job=job, create=command, shard=tenure.shard, epoch=tenure.epoch)
            return encode.create_pod(command, body=body)
        case WriteStatus():
            return encode.write_status(command)
        case DeletePod():
            return encode.delete_pod(command)
        case ReleasePod():
            return encode.release_pod(command)
        case DeleteJob():
            return encode.delete_job(command)
        case NoteProblem():
            return encode.note_problem(command)
        case ConfirmPod() | CreatePod():
            raise ValueError(f"{command} is no write")
