"""The HTTP server against clients that mean harm, on loopback."""

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from podwright.adapters.http import OPEN_CONNECTIONS, HttpServer, SharedPage
from podwright.runtime.operator import Health

HALF_OPEN = 2000


@contextlib.asynccontextmanager
async def served(*, host: str = "127.0.0.1", idle_seconds: float = 15.0, ready: str = "") -> AsyncIterator[int]:
    server = HttpServer(
        host=host,
        port=0,
        health=lambda: Health(alive_problem="", ready_problem=ready),
        metrics=lambda: b"podwright 1\n",
        idle_seconds=idle_seconds,
    )
    try:
        yield await server.start()
    finally:
        await server.stop()


async def get(url: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session,
        session.get(url) as answer,
    ):
        return answer.status, await answer.text()


async def test_pages() -> None:
    async with served(ready="not yet") as port:
        base = f"http://127.0.0.1:{port}"
        assert await get(f"{base}/livez") == (200, "ok")
        assert await get(f"{base}/readyz") == (500, "not yet")
        assert await get(f"{base}/metrics") == (200, "podwright 1\n")
        assert (await get(f"{base}/else"))[0] == 404
        async with aiohttp.ClientSession() as session, session.post(f"{base}/livez", data=b"x" * 100_000) as answer:
            assert answer.status == 405


async def test_s15_both_families_are_served() -> None:
    async with served(host="::") as port:
        assert await get(f"http://127.0.0.1:{port}/livez") == (200, "ok")
        assert await get(f"http://[::1]:{port}/livez") == (200, "ok")


async def test_s15_a_machine_without_ipv6_is_served_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    create = socket.create_server

    def without_ipv6(address: tuple[str, int], **options: object) -> socket.socket:
        if options.get("family") == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return create(address, **options)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(socket, "create_server", without_ipv6)
    async with served(host="::") as port:
        assert await get(f"http://127.0.0.1:{port}/livez") == (200, "ok")


async def test_a_taken_port_is_an_error() -> None:
    async with served(host="::") as port:
        server = HttpServer(
            host="::", port=port, health=lambda: Health(alive_problem="", ready_problem=""), metrics=lambda: b""
        )
        with pytest.raises(OSError, match="in use"):
            await server.start()
        await server.stop()


async def test_l7_half_open_requests_neither_pile_up_nor_keep_probes_out() -> None:
    async with served() as port:
        before = len(os.listdir("/proc/self/fd"))
        clients = []
        for number in range(HALF_OPEN):
            client = socket.create_connection(("127.0.0.1", port))
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n")
            clients.append(client)
            if number % 50 == 49:
                await asyncio.sleep(0)  # the server is in this process
            if number % 500 == 499:
                assert await get(f"http://127.0.0.1:{port}/livez") == (200, "ok")
        await asyncio.sleep(0.2)
        # Ours are still open at this end, those of the server aren't.
        assert len(os.listdir("/proc/self/fd")) - before - HALF_OPEN <= OPEN_CONNECTIONS + 2
        for client in clients:
            client.close()


async def test_l7_who_sends_no_whole_request_is_closed() -> None:
    async with served(idle_seconds=0.3) as port:
        for sent in (b"", b"GET /livez HTTP/1.1\r\nX: ", b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /li"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            async with asyncio.timeout(10):
                await reader.read()
            writer.close()


async def test_l7_single_bytes_buy_no_time() -> None:
    async with served(idle_seconds=0.5) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /livez HTTP/1.1\r\nX: ")
        closed = asyncio.create_task(reader.read())
        async with asyncio.timeout(10):
            while not closed.done():
                with contextlib.suppress(ConnectionError):
                    writer.write(b"a")
                await asyncio.sleep(0.05)
        with contextlib.suppress(ConnectionError):
            await closed
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x16\x03\x01\x02\x00", id="L7 TLS"),
        pytest.param(b"nonsense\r\n\r\n", id="L7 no request"),
        pytest.param(b"GET /livez HTTP/9.9\r\n\r\n", id="L7 version"),
        pytest.param(b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n", id="L7 line"),
        pytest.param(b"GET /livez HTTP/1.1\r\nX: " + b"a" * 10_000 + b"\r\n\r\n", id="L7 field"),
        pytest.param(b"GET /livez HTTP/1.1\r\n" + b"X: a\r\n" * 1000 + b"\r\n", id="L7 fields"),
        pytest.param(b"GET /livez HTTP/1.1\r\nContent-Length: -1\r\n\r\n", id="L7 length"),
        pytest.param(b"POST /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="L7 chunk"),
        pytest.param(b"GET http://[::bad/livez HTTP/1.1\r\nHost: a\r\n\r\n", id="L7 address"),
    ],
)
async def test_mistakes_of_clients_are_not_logged(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with served(idle_seconds=0.5) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionError):
                answer = await reader.read()
                assert not answer or answer.startswith(b"HTTP/1.")
        writer.close()
        assert await get(f"http://127.0.0.1:{port}/livez") == (200, "ok")
    assert [
        record.getMessage() for record in caplog.records if "Traceback" in str(record.exc_text) or record.exc_info
    ] == []


FLOOD = """
import select, socket, sys
clients = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(60)]
request = b"GET /metrics HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n"
for client in clients:
    client.sendall(request)
while True:
    for client in select.select(clients, [], [])[0]:
        client.recv(65536)
        client.sendall(request)
"""


async def test_l7_a_flood_of_scrapes_does_not_hold_the_loop_that_renews_the_leases() -> None:
    """Whoever reaches the port asks for metrics on all connections at once, each of which would cost 5 ms to render."""
    rendered = 0

    def render() -> bytes:
        nonlocal rendered
        rendered += 1
        time.sleep(0.005)
        return b"podwright 1\n"

    server = HttpServer(
        host="127.0.0.1", port=0, health=lambda: Health(alive_problem="", ready_problem=""), metrics=render
    )
    port = await server.start()
    flood = await asyncio.create_subprocess_exec(sys.executable, "-c", FLOOD, str(port))
    try:
        async with asyncio.timeout(20):
            while not rendered:  # noqa: ASYNC110 - a state that nobody signals is waited for
                await asyncio.sleep(0.01)
        began = time.monotonic()
        await asyncio.sleep(2.0)
        assert rendered <= 2 + (time.monotonic() - began)
    finally:
        flood.kill()
        await flood.wait()
        await server.stop()


def test_l7_a_page_that_takes_long_to_render_is_shared_for_longer() -> None:
    now = 0.0
    takes = 0.01
    rendered: list[float] = []

    def render() -> bytes:
        nonlocal now
        rendered.append(now)
        now += takes
        return b"%d" % len(rendered)

    page = SharedPage(render, clock=lambda: now)
    assert [page.page(), page.page()] == [b"1", b"1"]
    now = 1.02
    takes = 0.5
    assert page.page() == b"2"
    now += 9.9
    assert page.page() == b"2"
    now += 0.2
    assert page.page() == b"3"
