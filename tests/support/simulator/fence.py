"""The fence: pods of the operator's service account need the epoch that their shard's Lease has at this moment.

The rule that `manifests/` installs as a ValidatingAdmissionPolicy with the Lease as its parameter, so that a leader that
was paused past its lease creates nothing.
"""

from typing import Final

from podwright.core.constants import names
from tests.support.simulator.admission import Operation, Request, Rule
from tests.support.simulator.api import Api
from tests.support.simulator.errors import ApiError, forbidden
from tests.support.simulator.kinds import LEASE, POD
from tests.support.simulator.storage import Key

SYSTEM_NAMESPACE: Final = "podwright-system"
OPERATOR: Final = f"system:serviceaccount:{SYSTEM_NAMESPACE}:podwright-operator"


def fence(api: Api, *, user: str = OPERATOR) -> Rule:
    """Make the rule for the pods that `user` creates."""

    def rule(request: Request) -> None:
        if request.kind is not POD or request.operation is not Operation.CREATE or request.user != user:
            return
        metadata = (request.document or {}).get("metadata", {})
        shard = metadata.get("labels", {}).get(names.LABEL_SHARD)
        if shard is None:
            raise _refusal(request, f"a pod of {user} needs the label {names.LABEL_SHARD}")
        lease = api.table(LEASE).objects.get(Key(SYSTEM_NAMESPACE, f"podwright-shard-{shard}"))
        if lease is None:
            raise _refusal(request, f"shard {shard} has no Lease")
        epoch = str(lease.document.get("spec", {}).get("leaseTransitions", 0))
        given = metadata.get("annotations", {}).get(names.ANNOTATION_EPOCH)
        if given != epoch:
            raise _refusal(request, f"epoch {given} of shard {shard} is over, the Lease's is {epoch}")

    return rule


def _refusal(request: Request, why: str) -> ApiError:
    told = f"ValidatingAdmissionPolicy 'podwright-fence' denied request: podwright fence: {why}"
    return forbidden(request.kind.plural, request.name, told)
