"""Certificates and credentials that are replaced while the client runs, and plugins that hang."""

import asyncio
import os
import shutil
import ssl
import threading
import time
from pathlib import Path

import pytest
from aiohttp import web

from podwright.devcluster.certificates import CertificateAuthority
from podwright.kube.access import Access
from podwright.kube.client import ApiClient
from podwright.kube.credentials import FixedCredentials, run_in_thread
from podwright.kube.responses import Unsent
from podwright.kube.trust import Trust
from tests.unit.kube.objects import dumps, status_json
from tests.unit.kube.server import serve

PATH = "/api/v1/namespaces/default/pods"


def serving_context(authority: CertificateAuthority) -> ssl.SSLContext:
    pair = authority.issue_serving("server", names=["localhost"], addresses=["127.0.0.1", "::1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.load_verify_locations(authority.certificate_file)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def replace(path: Path, content: Path) -> None:
    """Put another file in the place of one, as a certificate manager does."""
    fresh = path.with_suffix(".new")
    shutil.copy(content, fresh)
    os.replace(fresh, path)


async def ok(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="ok")


async def test_s14_another_authority_is_trusted_without_a_restart(tmp_path: Path) -> None:
    old, new = (CertificateAuthority.create(tmp_path / name, name=name) for name in ("old", "new"))
    trusted = tmp_path / "ca.crt"
    shutil.copy(old.certificate_file, trusted)
    async with serve(ok, tls=serving_context(old)) as before, serve(ok, tls=serving_context(new)) as after:
        # What clusters do in one place: from one moment on the server's certificate is of another authority.
        credentials = FixedCredentials(Access(server=before, authority_file=str(trusted)))
        async with ApiClient(credentials) as client:
            assert (await client.request("GET", PATH)).status == 200
            client.server = after
            with pytest.raises(Unsent, match="CERTIFICATE_VERIFY_FAILED"):
                await client.request("GET", PATH)
            replace(trusted, new.certificate_file)
            client._trust._tried_at = float("-inf")  # the pause between two reloads is over
            assert (await client.request("GET", PATH)).status == 200
            client.server = before
            client._trust._tried_at = float("-inf")
            with pytest.raises(Unsent):  # the old authority is not trusted any more, even if a connection is pooled
                await client.request("GET", PATH)


def test_s14_changed_files_are_noticed(tmp_path: Path) -> None:
    authority = CertificateAuthority.create(tmp_path / "ours", name="ours")
    other = CertificateAuthority.create(tmp_path / "theirs", name="theirs")
    trusted = tmp_path / "ca.crt"
    shutil.copy(authority.certificate_file, trusted)
    now = 0.0
    trust = Trust(FixedCredentials(Access(server="https://x", authority_file=str(trusted))), clock=lambda: now)
    first = trust.context
    now = 20.0
    assert trust.context is first
    replace(trusted, other.certificate_file)
    assert trust.context is first, "not looked at again so soon"
    now = 30.0
    second = trust.context
    assert second is not first
    trusted.write_text("half written")
    now = 40.0
    assert trust.context is second, "what can't be read replaces nothing"
    replace(trusted, authority.certificate_file)
    now = 50.0
    assert trust.context is not second


async def test_s19_after_a_401_no_connection_with_the_old_certificate_is_used(tmp_path: Path) -> None:
    authority = CertificateAuthority.create(tmp_path / "ours", name="ours")
    certificates = {name: authority.issue_client(name, user=name) for name in ("old", "new")}
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    shutil.copy(certificates["old"].certificate, certificate)
    shutil.copy(certificates["old"].key, key)
    seen: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        subject = request.transport.get_extra_info("peercert")["subject"]
        seen.append(str(dict(part[0] for part in subject)["commonName"]))
        if expired and seen[-1] == "old":
            return web.Response(status=401, body=dumps(status_json(401, reason="Unauthorized")))
        return web.Response(text="ok")

    expired = False
    async with serve(handler, tls=serving_context(authority)) as url:
        access = Access(
            server=url,
            authority_file=str(authority.certificate_file),
            certificate_file=str(certificate),
            key_file=str(key),
        )
        async with ApiClient(FixedCredentials(access)) as client:
            await asyncio.gather(*(client.request("GET", PATH) for _ in range(5)))
            replace(certificate, certificates["new"].certificate)
            replace(key, certificates["new"].key)
            expired = True
            assert (await client.request("GET", PATH)).status == 200
            assert seen[-2:] == ["old", "new"]
            assert {
                answer.status for answer in await asyncio.gather(*(client.request("GET", PATH) for _ in range(9)))
            } == {200}
            assert seen[7:] == ["new"] * 9


class Hanging(FixedCredentials):
    """Credentials whose plugin never answers."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self.started = 0
        self.end = threading.Event()

    async def reload(self) -> None:
        self.started += 1
        await run_in_thread(self.end.wait)


async def test_s14_a_watch_whose_renewed_token_meets_another_authority_is_unreachable(tmp_path: Path) -> None:
    """The server refuses the token, and by the time of the second try there is one with a certificate of another authority."""
    old, new = (CertificateAuthority.create(tmp_path / name, name=name) for name in ("old", "new"))
    trusted = tmp_path / "ca.crt"
    shutil.copy(old.certificate_file, trusted)

    async def refuse(_request: web.Request) -> web.StreamResponse:
        replace(trusted, new.certificate_file)  # while the server still has the old one
        return web.Response(status=401, body=dumps(status_json(401, reason="Unauthorized")))

    async with serve(refuse, tls=serving_context(old)) as url:
        credentials = FixedCredentials(Access(server=url, token="t", authority_file=str(trusted)))
        async with ApiClient(credentials) as client:
            with pytest.raises(Unsent, match="CERTIFICATE_VERIFY_FAILED"):
                async with client.open_stream(PATH):
                    pass


async def test_s19_a_hanging_plugin_costs_no_more_than_the_deadline() -> None:
    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=401, body=dumps(status_json(401, reason="Unauthorized")))

    async with serve(refuse) as url:
        credentials = Hanging(Access(server=url, token="old"))
        async with ApiClient(credentials) as client:
            began = time.monotonic()
            answers = await asyncio.gather(*(client.request("GET", PATH, deadline=1.0) for _ in range(8)))
            assert time.monotonic() - began < 5.0
            assert {answer.status for answer in answers} == {401}
            assert credentials.started == 1, "a plugin that hangs is not started again beside itself"
        credentials.end.set()


def test_s19_a_hanging_plugin_does_not_keep_the_process() -> None:
    async def ask() -> None:
        async with asyncio.timeout(0.2):
            await run_in_thread(lambda: time.sleep(30))

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(ask())
    assert time.monotonic() - began < 5.0


async def test_work_in_a_thread_gives_its_result_or_its_error() -> None:
    def fail() -> None:
        raise OSError("no such plugin")

    assert await run_in_thread(lambda: 7) == 7
    with pytest.raises(OSError, match="no such plugin"):
        await run_in_thread(fail)


async def test_s24_an_ipv6_api_server(tmp_path: Path) -> None:
    authority = CertificateAuthority.create(tmp_path / "ours", name="ours")
    runner = web.ServerRunner(web.Server(ok), shutdown_timeout=0.1)  # type: ignore[arg-type]  # it takes any request
    await runner.setup()
    await web.TCPSite(runner, "::1", 0, ssl_context=serving_context(authority)).start()
    try:
        access = Access(
            server=f"https://[::1]:{runner.addresses[0][1]}", authority_file=str(authority.certificate_file)
        )
        async with ApiClient(FixedCredentials(access)) as client:
            assert (await client.request("GET", PATH)).body == b"ok"
    finally:
        await runner.cleanup()
