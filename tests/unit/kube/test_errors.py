import pytest

from podwright.kube.errors import LONGEST_RETRY_AFTER, Cause, StatusError, parse_status
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


@pytest.mark.parametrize(
    ("message", "fenced"),
    [
        ("ValidatingAdmissionPolicy 'podwright-fence' denied request: podwright fence: epoch 3 is over", True),
        ("policy 'podwright-fence' with binding 'x' denied request: failed to configure binding: no params", True),
        ("exceeded quota", False),
    ],
)
def test_fenced(message: str, fenced: bool) -> None:
    assert StatusError(code=403, reason="Forbidden", message=message).fenced is fenced
