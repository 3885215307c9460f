from __future__ import annotations

import json
import ssl

import pytest
from kubernetes.client.configuration import Configuration
from urllib3.exceptions import ConnectTimeoutError, HTTPError, ProtocolError, SSLError

from podwright.cli.connection import TOO_DEEP, Connection, _without_depths, is_whole
from podwright.cli.kubeconfig import Access


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (ConnectTimeoutError("too slow"), False),
        (SSLError(ssl.SSLCertVerificationError("self-signed")), False),
        (SSLError(ssl.SSLEOFError("EOF in violation of protocol")), True),
        (SSLError(ssl.SSLError("certificate required")), True),
        (ProtocolError("Connection aborted."), True),
        (ConnectionResetError("reset"), True),
    ],
)
def test_a_request_counts_as_sent_unless_it_surely_was_not(
    monkeypatch: pytest.MonkeyPatch, error: HTTPError | OSError, sent: bool
) -> None:
    connection = Connection(Access(configuration=Configuration(host="https://127.0.0.1:1"), namespace="n"))

    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(connection._pool, "request", fail)
    with pytest.raises(Exception, match="Cannot reach the API server") as raised:
        connection.request("POST", "/x", body={})
    assert raised.value.sent is sent  # type: ignore[attr-defined]


def test_l11_an_object_that_is_nested_too_deeply_hides_no_other() -> None:
    depth = 5_000
    deep = '{"a":' * depth + "1" + "}" * depth
    raw = f'{{"items": [{{"metadata": {{"name": "deep"}}, "spec": {deep}}}, {{"metadata": {{"name": "other"}}}}]}}'
    found = _without_depths(raw.encode())
    assert [item["metadata"]["name"] for item in found["items"]] == ["deep", "other"]
    assert [is_whole(item) for item in found["items"]] == [False, True]
    assert TOO_DEEP in json.dumps(found)
