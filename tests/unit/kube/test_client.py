import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from podwright.devcluster.certificates import CertificateAuthority
from podwright.kube.access import Access, CredentialsError
from podwright.kube.client import ApiClient, Pool
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.credentials import FixedCredentials
from podwright.kube.errors import StatusError
from podwright.kube.paths import InvalidNameError
from podwright.kube.responses import Ambiguous, ApiResponse, ApiUnreachable, ForeignAnswer, Unsent
from tests.unit.kube.objects import dumps, status_json
from tests.unit.kube.server import client_of, serve, serve_raw

PATH = "/api/v1/namespaces/default/pods"


def client_at(url: str, **access: Any) -> ApiClient:
    return ApiClient(FixedCredentials(Access(server=url, **access)))


async def hang(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def test_a_request_arrives_as_it_was_made() -> None:
    seen: list[tuple[str, str, bytes, dict[str, str]]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.raw_path, await request.read(), dict(request.headers)))
        return web.Response(status=201, body=b"answer")

    async with serve(handler) as url, client_at(url, token="secret") as client:
        answer = await client.request(
            "PATCH",
            f"{PATH}/x",
            query={"labelSelector": "a in (b,c),d", "limit": "500"},
            body=b"{}",
            content_type="application/merge-patch+json",
            accept="application/json;as=Table",
        )
        assert answer == ApiResponse(201, b"answer")
        await client.send(ApiRequest(method="GET", path=PATH))
    (method, path, body, headers), (_, bare_path, _, bare_headers) = seen
    assert (method, body) == ("PATCH", b"{}")
    assert path == f"{PATH}/x?labelSelector=a+in+%28b%2Cc%29%2Cd&limit=500"
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Content-Type"] == "application/merge-patch+json"
    assert headers["Accept"] == "application/json;as=Table"
    assert headers["Accept-Encoding"] == "identity"
    assert headers["User-Agent"] == "podwright"
    assert bare_path == PATH
    assert "Content-Type" not in bare_headers


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("0", 0.0),
        ("86400", 60.0),
        ("9" * 400, 60.0),
        ("soon", None),
        ("Sat, 21 Nov 2026 05:00:00 GMT", None),
    ],
)
@pytest.mark.parametrize("status", [200, 302, 404, 409, 429, 500, 503])
async def test_every_status_is_an_answer(status: int, header: str | None, seconds: float | None) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        headers = {"Location": "/elsewhere"} | ({} if header is None else {"Retry-After": header})
        return web.Response(status=status, body=b"x", headers=headers)

    async with client_of(handler) as client:
        assert await client.request("POST", PATH, body=b"{}") == ApiResponse(status, b"x", seconds)


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with client_at(url) as client:
            with pytest.raises(Unsent, match=f"POST {PATH}"):
                await client.request("POST", PATH, body=b"{}")
            with pytest.raises(Unsent):
                async with client.open_stream(PATH):
                    pass


async def test_a_connection_that_is_never_made(tmp_path: Path) -> None:
    """The server accepts and says nothing, so the handshake does not end."""
    authority = CertificateAuthority.create(tmp_path, name="test")

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serve_raw(silent) as port:
        url = f"https://127.0.0.1:{port}"
        async with client_at(url, authority_file=str(authority.certificate_file)) as client:
            with pytest.raises(Unsent):
                await client.request("POST", PATH, body=b"{}", deadline=0.3)


@pytest.mark.parametrize("method", ["POST", "PATCH", "GET", "DELETE"])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"nonsense\r\n\r\n",
    ],
)
async def test_an_answer_that_was_cut_off(method: str, answer: bytes) -> None:
    requests = []

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with serve_raw(cut) as port, client_at(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(Ambiguous, match=f"{method} {PATH}"):
            await client.request(method, PATH, body=None)
    # What may have been executed must not be repeated, unless a repetition is harmless.
    assert len(requests) <= (1 if method in {"POST", "PATCH"} else 2)


async def test_a_reset() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with serve_raw(reset) as port, client_at(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(Ambiguous):
            await client.request("POST", PATH, body=b"{}")


@pytest.mark.parametrize(
    ("method", "listening", "sent"),
    [
        pytest.param("DELETE", False, ["DELETE"], id="a repetition that finds nobody"),
        pytest.param("PUT", False, ["PUT"], id="the same for a PUT"),
        pytest.param("PATCH", True, ["PATCH"], id="a PATCH is not repeated"),
        pytest.param("DELETE", True, ["DELETE", "DELETE"], id="a repetition that is cut off too"),
    ],
)
async def test_what_was_sent_on_a_kept_connection_and_not_answered_may_have_been_executed(
    method: str, listening: bool, sent: list[str]
) -> None:
    """An API server carries the request out and goes away with its answer."""
    executed: list[str] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not executed:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        line = await reader.readuntil(b"\r\n\r\n")
        executed.append(line.split()[0].decode())
        if not listening:
            server.close()
        writer.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with client_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
        assert (await client.request("GET", PATH)).status == 200
        with pytest.raises(Ambiguous):
            await client.request(method, PATH)
    server.close()
    assert executed == sent


async def test_the_deadline() -> None:
    async with client_of(hang) as client:
        begun = asyncio.get_running_loop().time()
        with pytest.raises(Ambiguous):
            await client.request("POST", PATH, body=b"{}", deadline=0.2)
        assert asyncio.get_running_loop().time() - begun < 5.0


async def test_a_cancelled_request_leaves_the_client_usable() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await hang(request) if request.method == "POST" else web.Response()

    async with client_of(handler) as client:
        task = asyncio.create_task(client.request("POST", PATH, body=b"{}"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await client.request("GET", PATH)).status == 200


async def test_a_jam_of_writes_does_not_hold_up_leases_and_reads() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await hang(request) if request.method == "POST" else web.Response()

    async with (
        serve(handler) as url,
        ApiClient(FixedCredentials(Access(server=url)), write_connections=1) as client,
    ):
        jam = asyncio.create_task(client.request("POST", PATH, body=b"{}", deadline=2.0))
        await asyncio.sleep(0.05)
        for pool in (Pool.LEASE, Pool.READ):
            assert (await client.request("PUT", PATH, body=b"{}", pool=pool)).status == 200
        # It never got a connection, so it was surely not executed.
        with pytest.raises(Unsent):
            await client.request("PUT", PATH, body=b"{}", deadline=0.2)
        jam.cancel()
        with pytest.raises(asyncio.CancelledError):
            await jam


async def test_s6_what_a_proxy_answers_is_no_answer_of_the_api_server() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.query.get("status"):
            return web.Response(status=403, body=dumps(status_json(403, reason="Forbidden")))
        return web.Response(status=403, text="<html>Blocked</html>")

    async with client_of(handler) as client:
        with pytest.raises(ForeignAnswer, match=r"not an answer of an API server: 403: <html>Blocked"):
            await client.send(ApiRequest(method="POST", path=PATH, body=b"{}"))
        answer = await client.send(ApiRequest(method="POST", path=PATH, query={"status": "1"}, body=b"{}"))
        assert answer.status == 403


async def test_s2_no_other_path_is_sent() -> None:
    async with client_of(hang) as client:
        for path in (f"{PATH}/?watch=1", f"{PATH}/../../secrets", f"{PATH}/a\r\nHost: b"):
            with pytest.raises(InvalidNameError):
                await client.request("GET", path)


class Rotating:
    """Credentials of which only the newest is good."""

    def __init__(self, url: str, *, tokens: list[str]) -> None:
        self._url = url
        self._tokens = tokens
        self.reloads = 0

    @property
    def access(self) -> Access:
        return Access(server=self._url, token=self._tokens[0])

    async def reload(self) -> None:
        self.reloads += 1
        await asyncio.sleep(0.05)
        if len(self._tokens) == 1:
            raise CredentialsError("no other token")
        self._tokens.pop(0)


async def only_good(request: web.Request) -> web.StreamResponse:
    if request.headers["Authorization"] != "Bearer good":
        return web.Response(status=401, body=dumps(status_json(401, reason="Unauthorized")))
    return web.Response(body=b"line\n")


async def test_a_refused_token_is_renewed_once_for_all_requests() -> None:
    async with serve(only_good) as url:
        credentials = Rotating(url, tokens=["old", "good"])
        async with ApiClient(credentials) as client:
            answers = await asyncio.gather(*(client.request("POST", PATH, body=b"{}") for _ in range(20)))
            assert {answer.status for answer in answers} == {200}
            assert credentials.reloads == 1


@pytest.mark.parametrize("tokens", [["old"], ["old", "also old", "good"]])
async def test_a_token_that_stays_refused_is_an_answer(tokens: list[str]) -> None:
    async with serve(only_good) as url:
        credentials = Rotating(url, tokens=tokens)
        async with ApiClient(credentials) as client:
            assert (await client.request("GET", PATH)).status == 401
            assert credentials.reloads == 1


async def test_a_stream_renews_the_token_too() -> None:
    async with (
        serve(only_good) as url,
        ApiClient(Rotating(url, tokens=["old", "good"])) as client,
        client.open_stream(PATH) as stream,
    ):
        assert [line async for lines in stream for line in lines] == [b"line"]


async def test_a_stream_of_long_and_short_lines() -> None:
    lines = [b"a" * 1_500_000, b"b", b"c" * 70_000, *(b"%d" % number for number in range(1000)), b"d" * 3_000_000]

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.query == {"watch": "1"}
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"\n".join(lines) + b"\n")
        return response

    async with client_of(handler) as client, client.open_stream(PATH, {"watch": "1"}) as stream:
        assert [line async for batch in stream for line in batch] == lines


async def test_lines_come_as_they_are_sent() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one\ntw")
        await hang(request)
        return response

    async with client_of(handler) as client, client.open_stream(PATH) as stream:
        assert await anext(stream) == [b"one"]


async def test_a_silent_stream_breaks_off() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one\n")
        await hang(request)
        return response

    async with client_of(handler) as client, client.open_stream(PATH, silence=0.3) as stream:
        assert await anext(stream) == [b"one"]
        with pytest.raises(Ambiguous, match="broke off"):
            await anext(stream)


async def test_a_stream_that_is_cut() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\none\ntw\r\n")
        await writer.drain()
        writer.close()

    async with (
        serve_raw(cut) as port,
        client_at(f"http://127.0.0.1:{port}") as client,
        client.open_stream(PATH) as stream,
    ):
        assert await anext(stream) == [b"one"]
        with pytest.raises(Ambiguous):
            await anext(stream)


async def test_a_refused_stream() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=410, body=dumps(status_json(410, reason="Expired", message="too old")))

    async with client_of(handler) as client:
        with pytest.raises(StatusError) as caught:
            async with client.open_stream(PATH):
                pass
        assert (caught.value.code, caught.value.reason) == (410, "Expired")


async def test_a_stream_that_never_begins() -> None:
    async with client_of(hang) as client:
        with pytest.raises(ApiUnreachable):
            async with client.open_stream(PATH, silence=0.2):
                pass


async def test_tls(tmp_path: Path) -> None:
    authority = CertificateAuthority.create(tmp_path / "ours", name="ours")
    stranger = CertificateAuthority.create(tmp_path / "theirs", name="theirs")
    serving = authority.issue_serving("server", names=["localhost"], addresses=["127.0.0.1"])
    user = authority.issue_client("user", user="somebody")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(serving.certificate, serving.key)
    tls.load_verify_locations(authority.certificate_file)
    tls.verify_mode = ssl.CERT_OPTIONAL

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        certificate = request.transport.get_extra_info("peercert")
        return web.Response(
            text=str(dict(part[0] for part in certificate["subject"])["commonName"]) if certificate else ""
        )

    pair = {"certificate_file": str(user.certificate), "key_file": str(user.key)}
    async with serve(handler, tls=tls) as url:
        async with client_at(url, authority_file=str(authority.certificate_file)) as client:
            assert (await client.request("GET", PATH)).body == b""
        async with client_at(url, authority_file=str(authority.certificate_file), **pair) as client:
            assert (await client.request("GET", PATH)).body == b"somebody"
        async with client_at(url, authority_file=str(authority.certificate_file), server_name="localhost") as client:
            assert (await client.request("GET", PATH)).status == 200
        for wrong in (
            {"authority_file": str(stranger.certificate_file)},
            {"authority_file": str(authority.certificate_file), "server_name": "elsewhere"},
        ):
            async with client_at(url, **wrong) as client:
                with pytest.raises(Unsent):
                    await client.request("GET", PATH)
        async with ApiClient(FixedCredentials(Access(server=url, verify=False))) as client:
            assert (await client.request("GET", PATH)).status == 200


async def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    for access in (
        Access(server="https://127.0.0.1:1", authority_file=str(tmp_path / "none")),
        Access(server="https://127.0.0.1:1", certificate_file=str(tmp_path / "none")),
    ):
        with pytest.raises(CredentialsError, match="none"):
            ApiClient(FixedCredentials(access))
