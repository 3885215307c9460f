import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from podwright.devcluster.certificates import CertificateAuthority
from podwright.kube.access import Access, CredentialsError
from podwright.kube.client import ApiClient
from podwright.kube.credentials import FixedCredentials, load_credentials
from podwright.kube.proxy import ProxyError, checked_proxy, is_excepted, proxy_for
from podwright.kube.responses import Unsent
from tests.unit.kube.server import serve

PATH = "/api/v1/namespaces/default/pods"


@pytest.mark.parametrize(
    ("server", "exceptions", "direct"),
    [
        ("https://kube.example:6443", "", False),
        ("https://kube.example:6443", "*", True),
        ("https://kube.example:6443", "kube.example", True),
        ("https://kube.example:6443", "example", True),
        ("https://kube.example:6443", ".example", True),
        ("https://kube.example:6443", "*.example", True),
        ("https://kube.example:6443", "be.example", False),
        ("https://example:6443", ".example", False),
        ("https://kube.example:6443", "other, KUBE.example:6443", True),
        ("https://kube.example:6443", "kube.example:443", False),
        ("https://kube.example", "kube.example:443", True),
        ("https://10.96.0.1:443", "10.96.0.0/12", True),
        ("https://10.96.0.1:443", "10.0.0.0/16,nonsense/x", False),
        ("https://10.96.0.1:443", "10.96.0.1", True),
        ("https://10.96.0.1:443", "10.96.0.10", False),
        ("https://[fd00::1]:443", "fd00::/8", True),
        ("https://[fd00::1]:443", "fd00:0::1", True),
        ("https://[fd00::1]:443", "[fd00::1]:444", False),
        ("https://127.0.0.1:6443", "", True),
        ("https://[::1]:6443", "", True),
        ("https://localhost:6443", "", True),
    ],
)
def test_s24_no_proxy(server: str, exceptions: str, direct: bool) -> None:
    assert is_excepted(server, exceptions) is direct


def test_s24_proxy_of_the_environment() -> None:
    server = "https://kube.example:6443"
    assert proxy_for(server, {}) == ""
    assert proxy_for(server, {"HTTPS_PROXY": "proxy:3128"}) == "http://proxy:3128"
    assert proxy_for(server, {"https_proxy": "http://u:p@proxy:3128"}) == "http://u:p@proxy:3128"
    assert proxy_for(server, {"HTTP_PROXY": "proxy:3128"}) == ""
    assert proxy_for("http://kube.example", {"HTTP_PROXY": "proxy:3128"}) == "http://proxy:3128"
    assert proxy_for(server, {"HTTPS_PROXY": "proxy:3128", "NO_PROXY": "kube.example"}) == ""


@pytest.mark.parametrize(
    "url", ["socks5://user:secret@proxy:1080", "https://user:secret@proxy:3128", "ftp://proxy", "http://", "://"]
)
def test_s24_what_is_no_http_proxy_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ProxyError, match="proxy-url: a proxy must be") as refused:
        checked_proxy(url, source="proxy-url")
    assert "secret" not in str(refused.value)


class Tunnel:
    """A proxy that connects whom it is asked to, and writes that down."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.authorizations: list[bytes] = []
        self.port = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Tunnel"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b" ", 2)
        assert method == b"CONNECT"
        self.asked.append(target)
        self.authorizations += [line for line in head.split(b"\r\n") if line.lower().startswith(b"proxy-authorization")]
        port = int(target.rpartition(b":")[2])
        # The name is not looked up: what is tested is that it comes here.
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(_copy(reader, upstream_writer), _copy(upstream_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(1 << 16):
        writer.write(chunk)
        await writer.drain()
    writer.close()


async def test_s24_requests_and_watches_go_through_the_proxy(tmp_path: Path) -> None:
    authority = CertificateAuthority.create(tmp_path / "ours", name="ours")
    serving = authority.issue_serving("server", names=["kube.example"], addresses=[])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(serving.certificate, serving.key)

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == "Bearer secret"
        assert "Proxy-Authorization" not in request.headers
        return web.Response(body=b"line\n")

    async with serve(handler, tls=tls) as url, Tunnel().running() as tunnel:
        server = f"https://kube.example:{url.rpartition(':')[2]}"
        access = Access(
            server=server,
            token="secret",
            authority_file=str(authority.certificate_file),
            proxy=f"http://user:pass@127.0.0.1:{tunnel.port}",
        )
        async with ApiClient(FixedCredentials(access)) as client:
            assert (await client.request("GET", PATH)).body == b"line\n"
            async with client.open_stream(PATH) as stream:
                assert [line async for lines in stream for line in lines] == [b"line"]
        assert set(tunnel.asked) == {server.removeprefix("https://").encode()}
        assert set(tunnel.authorizations) == {b"Proxy-Authorization: Basic dXNlcjpwYXNz"}


async def test_s24_a_proxy_that_is_away_means_unsent() -> None:
    access = Access(server="https://kube.example:6443", proxy="http://127.0.0.1:9")
    async with ApiClient(FixedCredentials(access)) as client:
        with pytest.raises(Unsent):
            await client.request("POST", PATH, body=b"{}")


def kubeconfig(path: Path, **cluster: str) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://kube.example:6443", **cluster}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    path.write_text(yaml.safe_dump(config))
    return str(path)


@pytest.mark.parametrize(
    ("cluster", "environment", "proxy"),
    [
        ({}, {}, ""),
        ({"proxy-url": "http://p:1"}, {}, "http://p:1"),
        ({"proxy-url": "http://p:1"}, {"HTTPS_PROXY": "http://q:2", "NO_PROXY": "*"}, "http://p:1"),
        ({}, {"HTTPS_PROXY": "http://q:2"}, "http://q:2"),
        ({}, {"HTTPS_PROXY": "http://q:2", "NO_PROXY": ".example"}, ""),
    ],
)
def test_s24_a_kubeconfigs_proxy_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: dict[str, str], environment: dict[str, str], proxy: str
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)  # as the official loader sees it
    path = kubeconfig(tmp_path / "config", **cluster)
    assert load_credentials(kubeconfig=path, environment=environment).access.proxy == proxy


def test_s24_a_proxy_in_a_pod(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text("authority")
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "HTTPS_PROXY": "p:1"}
    assert load_credentials(environment=pod, directory=tmp_path).access.proxy == "http://p:1"
    assert load_credentials(environment={**pod, "NO_PROXY": "10.0.0.0/8"}, directory=tmp_path).access.proxy == ""
    with pytest.raises(CredentialsError, match="HTTPS_PROXY"):
        load_credentials(environment={**pod, "HTTPS_PROXY": "socks5://p:1"}, directory=tmp_path)
