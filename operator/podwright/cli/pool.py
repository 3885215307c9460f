"""Opens the pool of connections of a command: urllib3's, with the TLS context and the proxy that the operator would use."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3

from podwright.kube.access import Access, ssl_context


def opened_pool(access: Access) -> urllib3.PoolManager:
    """Return a pool for one API server. Nothing is sent yet.

    Raises:
        CredentialsError: a certificate or key can't be read.
    """
    options: dict[str, Any] = {}
    if access.server.startswith("https:"):
        options["ssl_context"] = ssl_context(access)
        if not access.verify:
            options |= {"cert_reqs": "CERT_NONE", "assert_hostname": False}
        if access.server_name:
            options["server_hostname"] = access.server_name
    if not access.proxy:
        return urllib3.PoolManager(**options)
    parts = urlsplit(access.proxy)
    headers = None
    if parts.username is not None:
        password = unquote(parts.password or "")
        headers = urllib3.make_headers(proxy_basic_auth=f"{unquote(parts.username)}:{password}")
    return urllib3.ProxyManager(access.proxy, proxy_headers=headers, **options)
