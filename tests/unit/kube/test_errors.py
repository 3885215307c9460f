from typing import Any

import pytest

from podwright.kube.errors import LONGEST_RETRY_AFTER, Cause, is_foreign, parse_status
from podwright.kube.paths import PODS
from tests.unit.kube.objects import dumps, nested, status_json


def test_status() -> None:
    details = {
        "name": "p",
        "retryAfterSeconds": 7,
        "causes": [{"field": "spec.x", "reason": "FieldValueInvalid", "message": "must be y"}],
    }
    error = parse_status(422, dumps(status_json(422, reason="Invalid", message="p is invalid", details=details)))
    assert (error.code, error.reason, error.message) == (422, "Invalid", "p is invalid")
    assert error.causes == (Cause(field="spec.x", reason="FieldValueInvalid", message="must be y"),)
    assert error.retry_after == 7
    assert str(error) == "422 Invalid: p is invalid"


def test_nobody_is_kept_waiting_for_a_day() -> None:
    body = dumps(status_json(429, details={"retryAfterSeconds": 86_400}))
    assert parse_status(429, body).retry_after == LONGEST_RETRY_AFTER


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "empty answer"),
        (b"<html>Bad Gateway</html>", "<html>Bad Gateway</html>"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x" * 5000, "x" * 1024),
        (b'{"kind":"Other"}', '{"kind":"Other"}'),
        (b'{"kind":"Status","code":"text"}', '{"kind":"Status","code":"text"}'),
        (b'{"kind":"Status","x":' + nested(5000) + b"}", None),
        (b'{"kind":"Status"}', "no message"),
    ],
)
def test_answers_of_others(body: bytes, message: str | None) -> None:
    error = parse_status(502, body)
    assert (error.code, error.reason) == (502, "")
    assert message is None or error.message == message


FENCE = "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'podwright-fence' with binding 'podwright-fence-0' denied request: "
COMPARED = (
    FENCE
    + "podwright fence: the pod carries epoch 3, but Lease podwright-shard-0 is at epoch 4: another operator leads"
)
UNLABELLED = FENCE.replace("'podwright-fence'", "'podwright-shard-label'") + "podwright fence: the pod is of shard none"


@pytest.mark.parametrize(
    ("code", "message", "fenced", "proves"),
    [
        pytest.param(403, COMPARED, True, True, id="S7 the policy compared epochs"),
        pytest.param(422, FENCE + "failed to configure binding: no params found", True, False, id="S7 no Lease yet"),
        pytest.param(403, UNLABELLED, True, False, id="S7 no shard"),
        pytest.param(
            403, COMPARED.replace(" with binding 'podwright-fence-0'", ""), True, True, id="S7 no binding is told"
        ),
        pytest.param(
            422,
            f'Pod "x" is invalid: spec.hostAliases[0].ip: Invalid value: "{COMPARED}": must be a valid IP address'.replace(
                'pods "x"', "pods 'x'"
            ),
            False,
            False,
            id="a tenant's text that an error repeats",
        ),
        pytest.param(
            403,
            f'pods "x" is forbidden: no PriorityClass with name {COMPARED} was found',
            False,
            False,
            id="a tenant's text that a refusal repeats",
        ),
        pytest.param(
            403, f'admission webhook "w" denied the request: {COMPARED}', False, False, id="a tenant's webhook says so"
        ),
        pytest.param(403, "not yet ready to handle request", False, False, id="S7 not ready"),
        pytest.param(403, "exceeded quota: podwright-fence", False, False, id="S7 a quota of that name"),
        pytest.param(429, COMPARED, False, False, id="S7 throttled"),
        pytest.param(500, COMPARED, False, False, id="S7 a server error"),
    ],
)
def test_fenced(code: int, message: str, fenced: bool, proves: bool) -> None:
    error = parse_status(code, dumps(status_json(code, reason="Forbidden", message=message)))
    assert (error.fenced, error.proves_fence) == (fenced, proves)
    # The same words from something else are no fact.
    foreign = parse_status(code, message.encode())
    assert (foreign.fenced, foreign.proves_fence) == (False, False)


GONE: dict[str, Any] = {"reason": "NotFound", "details": {"kind": "pods", "name": "x"}}


@pytest.mark.parametrize(
    ("code", "body", "absent"),
    [
        pytest.param(404, dumps(status_json(404, **GONE)), True, id="S6 a Status about the object"),
        pytest.param(404, b"404 page not found\n", False, id="S6 plain words"),
        pytest.param(404, b"<html>Not Found</html>", False, id="S6 a proxy"),
        pytest.param(404, b"", False, id="S6 nothing"),
        pytest.param(404, dumps(status_json(404, reason="NotFound")), False, id="S6 without details"),
        pytest.param(404, dumps({**status_json(404, **GONE), "kind": "Error"}), False, id="S6 another kind of answer"),
        pytest.param(
            404,
            dumps(status_json(404, **{**GONE, "details": {"kind": "pods", "name": "y"}})),
            False,
            id="S6 another name",
        ),
        pytest.param(
            404,
            dumps(status_json(404, **{**GONE, "details": {"kind": "namespaces", "name": "x"}})),
            False,
            id="S6 kind",
        ),
        pytest.param(404, dumps(status_json(404, **{**GONE, "reason": "Gone"})), False, id="S6 another reason"),
        pytest.param(403, dumps(status_json(404, **GONE)), False, id="S6 the codes differ"),
        pytest.param(410, dumps(status_json(410, **GONE)), False, id="S6 another code"),
    ],
)
def test_only_a_status_proves_absence(code: int, body: bytes, absent: bool) -> None:
    assert parse_status(code, body).proves_absence(PODS, "x") is absent


@pytest.mark.parametrize(
    ("code", "body", "foreign"),
    [
        pytest.param(403, b"<html>Forbidden</html>", True, id="S6 a proxy's refusal"),
        pytest.param(302, b"", True, id="S6 a redirection"),
        pytest.param(404, b"404 page not found", True, id="S6 no API server, or no such group"),
        pytest.param(403, dumps(status_json(403, reason="Forbidden")), False, id="S6 a Status"),
        pytest.param(
            429, b"Too many requests, please try again later.", False, id="S6 the API server's own plain words"
        ),
        pytest.param(502, b"Bad Gateway", False, id="S6 a server error is no refusal anyway"),
        pytest.param(200, b"<html>", False, id="S6 a success is decoded by who asked"),
    ],
)
def test_refusals_by_others(code: int, body: bytes, foreign: bool) -> None:
    assert is_foreign(code, body) is foreign
