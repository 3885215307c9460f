"""A tiny client of the Kubernetes API for tests: JSON in, status code and JSON out, no exceptions for refusals.

It is independent of the operator's own client on purpose: what is tested must not be what judges.
"""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import msgspec
import yaml

Document = dict[str, Any]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Answer(NamedTuple):
    """An answer of the API server."""

    code: int
    body: Document

    @property
    def reason(self) -> str:
        """The reason in a `Status`, or nothing."""
        return str(self.body.get("reason", "")) if self.body.get("kind") == "Status" else ""


class Server(NamedTuple):
    """Where an API server is, and as whom to talk to it."""

    url: str
    token: str = ""
    tls: ssl.SSLContext | None = None

    @classmethod
    def from_kubeconfig(cls, path: Path, *, with_user: bool = True) -> "Server":
        """Read the current context of a kubeconfig with inline or file certificates, or a token; the user may be left out."""
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"] if with_user else {}
        if not cluster["server"].startswith("https"):
            return cls(cluster["server"], user.get("token", ""))
        authority = _data(cluster, "certificate-authority", path)
        tls = ssl.create_default_context(cadata=authority.decode())
        if certificate := _data(user, "client-certificate", path):
            _load_pair(tls, certificate, _data(user, "client-key", path))
        return cls(cluster["server"], user.get("token", ""), tls)


class Rest:
    """A connection pool to one server, as an asynchronous context manager."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Rest":
        """Open the pool."""
        headers = {"Authorization": f"Bearer {self.server.token}"} if self.server.token else {}
        connector = aiohttp.TCPConnector(limit=0, ssl=self.server.tls or True)
        timeout = aiohttp.ClientTimeout(total=None, connect=30)
        self._session = aiohttp.ClientSession(self.server.url, connector=connector, headers=headers, timeout=timeout)
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The pool itself, for what the other methods don't do."""
        if self._session is None:
            raise RuntimeError("use it in `async with`")
        return self._session

    async def send(
        self,
        method: str,
        path: str,
        body: Document | list[Any] | bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        user: str = "",
    ) -> Answer:
        """Send one request, as another `user` if one is named, and read its whole answer."""
        data = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        headers = {"Content-Type": content_type, "Accept": accept}
        if user:
            headers["Impersonate-User"] = user
        async with self.session.request(method, path, data=data, params=query, headers=headers) as response:
            raw = await response.read()
        try:
            return Answer(response.status, msgspec.json.decode(raw))
        except msgspec.DecodeError:
            return Answer(response.status, {"raw": raw.decode(errors="replace")})

    async def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[Document]:
        """Yield the events of a watch until the server ends it."""
        async with self.session.get(path, params={"watch": "true", **query}) as response:
            response.raise_for_status()
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield msgspec.json.decode(line)

    async def until_gone(self, path: str, *, seconds: float) -> None:
        """Wait until there is nothing at a path."""
        async with asyncio.timeout(seconds):
            while True:
                if (await self.send("GET", path)).code == 404:
                    return
                await asyncio.sleep(0.05)

    async def ready(self, *, seconds: float = 60.0) -> None:
        """Wait until the server says that it is ready."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    async with self.session.get("/readyz") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)


def _named(items: list[Document], name: str) -> Document:
    return next(item for item in items if item["name"] == name)


def _data(section: Document, name: str, kubeconfig: Path) -> bytes:
    if inline := section.get(f"{name}-data"):
        return base64.b64decode(inline)
    return (kubeconfig.parent / section[name]).read_bytes() if name in section else b""


def _load_pair(tls: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # The standard library loads key pairs only from files.
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        pair = Path(directory) / "pair.pem"
        pair.write_bytes(certificate + b"\n" + key)
        tls.load_cert_chain(pair)
