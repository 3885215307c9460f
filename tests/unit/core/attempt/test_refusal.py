"""What refusals of pods mean. The messages are those of the API server's own admission plugins."""

import pytest

from podwright.core.attempt.refusal import (
    DENIAL_PATIENCE,
    ask_again_at,
    classify,
    refused,
    refuses_more_memory,
    surely_not_created,
)
from podwright.core.constants.reasons import Reason
from podwright.core.model.attempt import Refusal, RefusalKind
from podwright.core.spec import Escalation

R, P = RefusalKind.RETRYABLE, RefusalKind.PERMANENT
_QUOTA = 'pods "a" is forbidden: exceeded quota: q, requested: {}, used: {}, limited: {}'
_FORBIDDEN = 'pods "a" is forbidden: '


@pytest.mark.parametrize(
    ("code", "message", "want"),
    [
        pytest.param(403, _QUOTA.format("pods=1", "pods=5", "pods=5"), (R, "QuotaExceeded"), id="quota in use"),
        pytest.param(403, _QUOTA.format("pods=1", "pods=0", "pods=0"), (R, "QuotaExceeded"), id="quota of no pods"),
        pytest.param(403, "status unknown for quota: q, resources: pods", (R, "QuotaExceeded"), id="a quota just made"),
        pytest.param(
            403,
            _QUOTA.format("limits.cpu=2,pods=1", "limits.cpu=0,pods=0", "limits.cpu=1,pods=9"),
            (R, "QuotaUnsatisfiable"),
            id="B26 above the whole quota",
        ),
        pytest.param(
            403,
            _QUOTA.format("limits.memory=1500Mi", "limits.memory=1Gi", "limits.memory=2Gi"),
            (R, "QuotaExceeded"),
            id="B26 others use what it needs",
        ),
        pytest.param(
            403,
            _FORBIDDEN + "failed quota: q: must specify limits.cpu for: main",
            (R, "QuotaUnsatisfiable"),
            id="B26 must specify",
        ),
        pytest.param(
            403,
            "error looking up service account ns/x: serviceaccount not found",
            (R, "ServiceAccountMissing"),
            id="service account",
        ),
        pytest.param(
            403,
            _FORBIDDEN + "no PriorityClass with name nightly was found",
            (R, "PriorityClassMissing"),
            id="S8 B21 priority class",
        ),
        pytest.param(
            403,
            _FORBIDDEN + 'pod rejected: RuntimeClass "gvisor" not found',
            (R, "RuntimeClassMissing"),
            id="S8 B21 runtime class",
        ),
        pytest.param(
            403,
            'admission webhook "w.x.io" denied the request: cache not ready',
            (R, "PodRejected"),
            id="S8 B21 denied by a webhook",
        ),
        pytest.param(
            422,
            "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
            (R, "PodRejected"),
            id="S8 B21 denied by a policy",
        ),
        pytest.param(
            403, _FORBIDDEN + 'violates PodSecurity "restricted:latest"', (R, "PodRejected"), id="PodSecurity"
        ),
        pytest.param(403, "never seen before", (R, "PodRejected"), id="S8 an admission plugin nobody knows"),
        pytest.param(
            403,
            "unable to create new content in namespace x because it is being terminated",
            (R, "NamespaceTerminating"),
            id="namespace",
        ),
        pytest.param(
            403, 'User "o" cannot create resource "pods" in API group ""', (R, "OperatorForbidden"), id="RBAC"
        ),
        pytest.param(
            403,
            _FORBIDDEN + "maximum memory usage per Container is 100Mi, but limit is 128Mi",
            (P, "PodRejected"),
            id="B18 limit range",
        ),
        pytest.param(
            403, _FORBIDDEN + "maximum nvidia.com/gpu usage per Pod is 1", (P, "PodRejected"), id="limit range of a pod"
        ),
        pytest.param(
            403,
            _FORBIDDEN + "cpu max limit to request ratio per Container is 1, but provided ratio is 2",
            (P, "PodRejected"),
            id="limit range of a ratio",
        ),
        pytest.param(422, 'Pod "a" is invalid: spec.containers[0].image: Required value', (P, "PodRejected"), id="422"),
        pytest.param(400, "Pod in version v1 cannot be handled as a Pod", (P, "PodRejected"), id="400"),
        pytest.param(413, "Request entity too large: limit is 3145728", (P, "PodRejected"), id="413"),
        pytest.param(500, "etcdserver: request is too large", (P, "PodRejected"), id="B3 too large for etcd"),
        pytest.param(
            500,
            "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2 vs. 1)",
            (P, "PodRejected"),
            id="B3 too large for gRPC",
        ),
        pytest.param(
            500,
            'Internal error occurred: failed calling webhook "w": connection refused',
            (R, "AdmissionWebhookFailed"),
            id="webhook down",
        ),
        pytest.param(
            500,
            'admission plugin "MutatingAdmissionWebhook" failed to complete mutation in 13s',
            (R, "PodCreationFailed"),
            id="B3 mutation takes too long",
        ),
        pytest.param(
            500, 'admission webhook "w" denied the request: oops', (R, "PodCreationFailed"), id="B3 webhook's own 500"
        ),
        pytest.param(401, "Unauthorized", (R, "PodCreationFailed"), id="401"),
    ],
)
def test_classify(code: int, message: str, want: tuple[RefusalKind, str]) -> None:
    assert classify(code=code, message=message) == want


@pytest.mark.parametrize(
    "text",
    [
        'failed calling webhook "w"',
        'Internal error occurred: failed calling webhook "w"',
        "admission webhook 'w' denied the request",
        "ValidatingAdmissionPolicy 'p' denied request",
        'violates PodSecurity "restricted:latest"',
        "exceeded quota",
    ],
)
def test_what_an_error_repeats_of_a_template_is_no_word_of_the_api_server(text: str) -> None:
    message = f'Pod "a" is invalid: spec.hostAliases[0].ip: Invalid value: "{text}": must be a valid IP address'
    assert classify(code=422, message=message) == (P, "PodRejected")
    message = _FORBIDDEN + f"no PriorityClass with name {text} was found"
    assert classify(code=403, message=message)[1] != Reason.ADMISSION_WEBHOOK_FAILED


@pytest.mark.parametrize("code", [400, 403, 404, 413, 422, 502])
def test_s8_what_is_no_status_is_never_final(code: int) -> None:
    message = "<html>403 Forbidden: request entity too large</html>"
    assert classify(code=code, message=message, genuine=False) == (R, "PodCreationFailed")


@pytest.mark.parametrize(
    ("code", "message", "want"),
    [
        (500, 'failed calling webhook "w"', True),
        (500, 'admission plugin "MutatingAdmissionWebhook" failed to complete mutation in 13s', True),
        (500, "etcdserver: request is too large", True),
        (500, "etcdserver: request timed out", False),
        (403, "failed calling webhook", False),
    ],
)
def test_b3_which_server_errors_came_before_storage(code: int, message: str, want: bool) -> None:
    assert surely_not_created(code=code, message=message) is want


def refused_again(before: Refusal | None, *, now: float, message: str, code: int = 403, index: int = 0) -> Refusal:
    """Let the same pod be refused."""
    return refused(
        before=before, task_index=index, attempt=0, job_uid="uid", code=code, message=message, now=now, genuine=True
    )


def test_s8_a_denial_is_asked_again_for_a_minute_before_it_is_final() -> None:
    message = "admission webhook denied the request: cache not ready"
    refusal = refused_again(None, now=1000.0, message=message)
    while refusal.kind is R:
        refusal = refused_again(refusal, now=ask_again_at(refusal=refusal, job_uid="uid"), message=message)
    assert DENIAL_PATIENCE <= refusal.at - 1000.0 <= DENIAL_PATIENCE + 15.0
    assert 6 <= refusal.count <= 12


def test_s8_a_pause_of_the_operator_is_no_patience() -> None:
    first = refused_again(None, now=1000.0, message="denied the request")
    assert refused_again(first, now=9000.0, message="denied the request").kind is R


def test_b21_patience_begins_anew_when_the_reason_changes() -> None:
    refusal = None
    for tries in range(10):
        refusal = refused_again(refusal, now=1000.0 + 20 * tries, message="no PriorityClass with name x was found")
    denied = refused_again(refusal, now=1300.0, message="denied the request")
    assert (denied.kind, denied.since) == (R, 1300.0)


MEMORY = Escalation(factor=2.0, max_memory="1Gi")
BOTH = Escalation(factor=2.0, max_memory="1Gi", max_cpu="4")


@pytest.mark.parametrize(
    ("message", "times", "escalation", "kind", "want"),
    [
        pytest.param(
            "maximum memory usage per Container is 1Gi, but limit is 2Gi", 1, MEMORY, P, True, id="B18 limits"
        ),
        pytest.param(
            "maximum memory usage per Container is 1Gi, but limit is 2Gi", 0, MEMORY, P, False, id="B18 first"
        ),
        pytest.param("maximum memory usage per Container is 1Gi, but limit is 2Gi", 1, None, P, False, id="no growth"),
        pytest.param("maximum cpu usage per Container is 1, but limit is 2", 1, BOTH, P, True, id="CPU that grew"),
        pytest.param("maximum cpu usage per Container is 1, but limit is 2", 1, MEMORY, P, False, id="CPU as before"),
        pytest.param('webhook "kyverno" denied the request: at most 1Gi of memory', 2, MEMORY, P, True, id="a policy"),
        pytest.param('webhook "kyverno" denied the request: at most 1Gi of memory', 2, MEMORY, R, False, id="not yet"),
        pytest.param('webhook "kyverno" denied the request: label team', 2, MEMORY, P, False, id="another policy"),
    ],
)
def test_only_what_was_added_is_refused_as_such(
    message: str, times: int, escalation: Escalation | None, kind: RefusalKind, want: bool
) -> None:
    refusal = Refusal(attempt=times, kind=kind, reason=Reason.POD_REJECTED, message=message, at=1.0, count=1)
    assert refuses_more_memory(refusal=refusal, out_of_memory=times, escalation=escalation) is want


def test_the_message_says_what_is_wrong_and_hides_what_is_secret() -> None:
    assert refused_again(None, now=1.0, message="bad value password=hunter2").message == "bad value password=[redacted]"
    quota = refused_again(None, now=1.0, message="failed quota: q: must specify limits.cpu")
    assert quota.message.startswith("no quota of this namespace can ever admit the pod as it is: failed quota")
    page = refused(
        before=None, task_index=0, attempt=0, job_uid="uid", code=403, message="<html>", now=1.0, genuine=False
    )
    assert page.message == "HTTP 403, which is not a response of the API server: <html>"


def test_many_pods_that_were_asked_for_at_once_count_as_one_refusal() -> None:
    refusal, counts = None, []
    for index in range(5):
        refusal = refused_again(refusal, now=1.0, message="x", index=index)
        counts.append(refusal.count)
    assert counts == [1] * 5


def test_a_refused_pod_is_asked_for_ever_more_rarely_and_never_hot() -> None:
    def wait(count: int) -> float:
        refusal = Refusal(attempt=0, kind=R, reason="QuotaExceeded", message="", at=100.0, count=count)
        return ask_again_at(refusal=refusal, job_uid="uid") - 100.0

    for count, ceiling in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (1000, 30)]:
        assert ceiling / 2 <= wait(count) <= ceiling
