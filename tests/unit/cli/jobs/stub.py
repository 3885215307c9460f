"""A server that plays the parts of an API server that need nodes: jobs that change as scripted, pods, and their logs."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.support.loopback import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

    Answer = Callable[[dict[str, str]], tuple[int, Any]]


class Stub(LoopbackServer):
    """Answers by path. An answer is called with the query; bytes are sent as they are, a list of them as a stream.

    In a stream, a number is so many seconds of silence, and None cuts it off without a proper end.
    """

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig for it, with the namespace n."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
            "current-context": "x",
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append((parts.path, query))
        answer = self.answers.get(parts.path)
        code, body = (
            answer(query) if answer else (404, {"kind": "Status", "reason": "NotFound", "message": "not found"})
        )
        handler.send_response(code)
        if isinstance(body, list):
            self._stream(handler, body)
            return
        raw = json.dumps(body).encode()
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    def _stream(self, handler: BaseHTTPRequestHandler, pieces: list[bytes | float | None]) -> None:
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in pieces:
            if piece is None:
                handler.close_connection = True
                handler.connection.close()
                return
            if isinstance(piece, float):
                time.sleep(piece)
                continue
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            handler.wfile.flush()
        handler.wfile.write(b"0\r\n\r\n")
