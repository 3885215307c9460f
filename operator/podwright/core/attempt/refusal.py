"""What a refused pod creation means: whether the same request can ever succeed, and when to ask again.

Facts: API server error reasons (apimachinery `metav1.StatusReason`), and the messages of the admission plugins that answer
403 for very different causes; the reason alone does not tell quota from policy.
"""

from typing import Final

from podwright.core.values.jitter import fraction
from podwright.core.view import Refusal, RefusalKind

_FIRST_DELAY: Final = 1.0
_LONGEST_DELAY: Final = 30.0

# A 403 whose message holds one of these can pass later without the job being changed.
_PASSING: Final = (
    ("exceeded quota", "QuotaExceeded"),
    ("failed quota", "QuotaExceeded"),
    ("error looking up service account", "ServiceAccountMissing"),
    ("is being terminated", "NamespaceTerminating"),
    ("cannot create resource", "OperatorForbidden"),
    ("not yet ready to handle request", "ApiServerNotReady"),
)
_LASTING_CODES: Final = frozenset({400, 413, 422})


def classify(*, code: int, message: str) -> tuple[RefusalKind, str]:
    """Sort an HTTP answer to a pod creation (other than success, conflict and throttling) into kind and reason."""
    if code == 403:
        for words, reason in _PASSING:
            if words in message:
                return RefusalKind.RETRYABLE, reason
        return RefusalKind.PERMANENT, "PodRejected"
    if "failed calling webhook" in message:
        return RefusalKind.RETRYABLE, "AdmissionWebhookFailed"
    if code in _LASTING_CODES:
        return RefusalKind.PERMANENT, "PodRejected"
    return RefusalKind.RETRYABLE, "PodCreationFailed"


def ask_again_at(*, refusal: Refusal, job_uid: str) -> float:
    """Return the time of the next try: doubling from one second to half a minute, at least half of it always waited."""
    ceiling = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(refusal.count - 1, 16))
    return refusal.at + ceiling * (0.5 + 0.5 * fraction(job_uid, "refusal", refusal.count))
