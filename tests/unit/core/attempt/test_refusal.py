"""What refusals of pods mean. The messages are those of the API server's own admission plugins."""

import pytest

from podwright.core.attempt.refusal import ask_again_at, classify
from podwright.core.view import Refusal, RefusalKind

R, P = RefusalKind.RETRYABLE, RefusalKind.PERMANENT


@pytest.mark.parametrize(
    ("code", "message", "want"),
    [
        (403, 'pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5', (R, "QuotaExceeded")),
        (403, 'pods "a" is forbidden: failed quota: q: must specify cpu', (R, "QuotaExceeded")),
        (403, 'error looking up service account ns/x: serviceaccount "x" not found', (R, "ServiceAccountMissing")),
        (
            403,
            "unable to create new content in namespace x because it is being terminated",
            (R, "NamespaceTerminating"),
        ),
        (403, 'User "o" cannot create resource "pods" in API group ""', (R, "OperatorForbidden")),
        (403, 'pods "a" is forbidden: violates PodSecurity "restricted:latest"', (P, "PodRejected")),
        (403, 'pods "a" is forbidden: maximum cpu usage per Container is 1', (P, "PodRejected")),
        (422, 'Pod "a" is invalid: spec.containers[0].image: Required value', (P, "PodRejected")),
        (400, "Pod in version v1 cannot be handled as a Pod", (P, "PodRejected")),
        (413, "Request entity too large", (P, "PodRejected")),
        (500, 'Internal error occurred: failed calling webhook "w": connection refused', (R, "AdmissionWebhookFailed")),
        (401, "Unauthorized", (R, "PodCreationFailed")),
    ],
)
def test_classify(code: int, message: str, want: tuple[RefusalKind, str]) -> None:
    assert classify(code=code, message=message) == want


def test_a_refused_pod_is_asked_for_ever_more_rarely_and_never_hot() -> None:
    def wait(count: int) -> float:
        refusal = Refusal(attempt=0, kind=R, reason="QuotaExceeded", message="", at=100.0, count=count)
        return ask_again_at(refusal=refusal, job_uid="uid") - 100.0

    for count, ceiling in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (1000, 30)]:
        assert ceiling / 2 <= wait(count) <= ceiling
