"""A few plain requests to the embedded cluster's own API server, as its administrator.

For starting only: is it ready, register fake nodes, does the default service account exist. Everything else goes
through kubectl or the caller's own client.
"""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

    from podwright.devcluster.files import KeyPair

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `body` is the decoded JSON, or None if it is none."""

    status: int
    body: Any


class AdminApi:
    """One keep-alive connection to the API server. Not for use from several threads."""

    def __init__(self, *, server: str, authority: Path, pair: KeyPair) -> None:
        parts = urlsplit(server)
        context = ssl.create_default_context(cafile=str(authority))
        context.load_cert_chain(pair.certificate, pair.key)
        self._connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS, context=context
        )

    def request(self, method: str, path: str, body: Any = None) -> Answer | None:
        """Return the answer, or None if the server couldn't be reached (which also says: try again)."""
        content = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, body=content, headers={"Content-Type": "application/json"})
            response = self._connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return None
        try:
            decoded = json.loads(raw)
        except ValueError:
            decoded = None
        return Answer(response.status, decoded)

    def is_ready(self) -> bool:
        """Return whether the API server serves, with all its own bootstrapping done."""
        answer = self.request("GET", "/readyz")
        return answer is not None and answer.status == http.HTTPStatus.OK

    def close(self) -> None:
        """Close the connection; a later request opens another."""
        self._connection.close()
