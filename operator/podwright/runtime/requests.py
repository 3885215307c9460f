"""From a command to the request that carries it out: adds what only the runtime knows, the term, to what `kube` encodes."""

from podwright.core.accounting import Accounting
from podwright.core.commands import (
    ClaimKey,
    Command,
    Confirm,
    CreateChild,
    Delete,
    PatchChild,
    Release,
    ReportProblem,
    WriteStatus,
)
from podwright.core.job.pod.template import build_pod
from podwright.core.model.job import JobView
from podwright.kube import key_lease
from podwright.kube.codecs import requests as encode
from podwright.kube.codecs.requests import ApiRequest
from podwright.runtime.leader_term import LeaderTerm


def request_for(
    command: Command, *, job: JobView | None, term: LeaderTerm, lease_namespace: str, accounting: Accounting
) -> ApiRequest:
    """Encode a command that writes. `lease_namespace` is where the Leases of idempotency keys are.

    Raises:
        ValueError: the command does not write, or a pod is to be created for a job that is not known.
    """
    match command:
        case CreateChild() if job is not None:
            body = build_pod(
                job=job,
                name=command.name,
                attempt=command.spec,
                shard=term.shard,
                epoch=term.epoch,
                accounting=accounting,
            )
            return encode.create_pod(command, body=body)
        case WriteStatus():
            return encode.write_status(command)
        case Delete() if command.target == command.of:
            return encode.delete_job(command)
        case Delete():
            return encode.delete_pod(command)
        case Release():
            return encode.release_pod(command)
        case PatchChild():
            return encode.patch_pod(command)
        case ReportProblem():
            return encode.report_problem(command)
        case ClaimKey():
            return key_lease.claim_key(command, namespace=lease_namespace)
        case Confirm() | CreateChild():
            raise ValueError(f"{command} is no write")
