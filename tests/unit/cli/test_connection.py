from __future__ import annotations

import base64
import json
import ssl
from typing import TYPE_CHECKING

import msgspec
import pytest
from urllib3.exceptions import ConnectTimeoutError, HTTPError, ProtocolError, SSLError

from podwright.cli.connection import TOO_DEEP, Connection, _without_depths, is_whole
from podwright.kube.access import Access
from podwright.kube.credentials import FixedCredentials
from podwright.kube.errors import StatusError
from tests.support.loopback import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message
    from http.server import BaseHTTPRequestHandler


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
    connection = Connection(FixedCredentials(Access(server="https://127.0.0.1:1")))

    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(connection._pool, "request", fail)
    with pytest.raises(Exception, match="Cannot reach the API server") as raised:
        connection.request("POST", "/x", body={})
    assert raised.value.sent is sent  # type: ignore[attr-defined]


class Server(LoopbackServer):
    """Answers every request with the status that `judge` gives for its headers, and remembers them."""

    def __init__(self, judge: Callable[[Message], int]) -> None:
        super().__init__(self._answer)
        self.seen: list[tuple[str, Message]] = []
        self._judge = judge

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        self.seen.append((handler.path, handler.headers))
        handler.send_response(self._judge(handler.headers))
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"{}")


class Renewed(FixedCredentials):
    """Credentials of which others can be had, once."""

    def refresh(self) -> None:
        self._access = msgspec.structs.replace(self._access, token="new")


def test_a_token_that_has_expired_is_renewed_and_the_request_sent_again() -> None:
    with Server(lambda headers: 201 if headers["Authorization"] == "Bearer new" else 401).running() as server:
        connection = Connection(Renewed(Access(server=server.url, token="old")))
        assert connection.request("POST", "/x", body={}) == {}
        connection.request("POST", "/x", body={})
    assert [headers["Authorization"] for _, headers in server.seen] == ["Bearer old", "Bearer new", "Bearer new"]


def test_credentials_that_stay_the_same_are_refused_once() -> None:
    with Server(lambda _: 401).running() as server, pytest.raises(StatusError):
        Connection(FixedCredentials(Access(server=server.url, token="old"))).request("POST", "/x", body={})
    assert len(server.seen) == 1


def test_requests_go_through_the_proxy_of_the_kubeconfig() -> None:
    with Server(lambda _: 200).running() as proxy:
        url = proxy.url.replace("http://", "http://me:s%40cret@")
        Connection(FixedCredentials(Access(server="http://kube.invalid:6443", proxy=url))).request("POST", "/x")
    ((path, headers),) = proxy.seen
    assert path == "http://kube.invalid:6443/x"
    assert base64.b64decode(headers["Proxy-Authorization"].removeprefix("Basic ")) == b"me:s@cret"


def test_l11_an_object_that_is_nested_too_deeply_hides_no_other() -> None:
    depth = 5_000
    deep = '{"a":' * depth + "1" + "}" * depth
    raw = f'{{"items": [{{"metadata": {{"name": "deep"}}, "spec": {deep}}}, {{"metadata": {{"name": "other"}}}}]}}'
    found = _without_depths(raw.encode())
    assert [item["metadata"]["name"] for item in found["items"]] == ["deep", "other"]
    assert [is_whole(item) for item in found["items"]] == [False, True]
    assert TOO_DEEP in json.dumps(found)
