"""Which proxy leads to an API server: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, read as Go programs such as kubectl read them. Pure.

Used by `credentials`. A kubeconfig's `proxy-url` wins over the environment, and is not looked for here. Rules: Go's
`golang.org/x/net/http/httpproxy`.
"""

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class ProxyError(ValueError):
    """A proxy is named in a way that we can't use; the message says how."""


def proxy_for(server: str, environment: Mapping[str, str]) -> str:
    """Return the URL of the proxy for a server, empty for none.

    Raises:
        ProxyError: the variable's value is no URL of an HTTP proxy.
    """
    parts = urlsplit(server)
    variable = f"{parts.scheme}_proxy"
    proxy = environment.get(variable.upper()) or environment.get(variable) or ""
    exceptions = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    if not proxy or is_excepted(server, exceptions):
        return ""
    return checked_proxy(proxy if "://" in proxy else f"http://{proxy}", source=variable.upper())


def checked_proxy(url: str, *, source: str) -> str:
    """Return the URL if it is one of an HTTP proxy that is itself reached without TLS.

    The tunnel through it has TLS all the way to the API server. TLS to the proxy would need a second set of authorities: only the
    cluster's own would be trusted, which does not sign the certificates of proxies.

    Raises:
        ProxyError: it is not; `source` says where it was read.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        # Not the whole URL, which may hold a password.
        raise ProxyError(
            f"{source}: a proxy must be http://HOST:PORT, not {parts.scheme or '?'}://…; "
            "to an API server of https:// all is encrypted through it as well"
        )
    return url


def is_excepted(server: str, exceptions: str) -> bool:
    """Return whether NO_PROXY names the server: by `*`, address, network (CIDR), name or domain, perhaps with a port.

    Servers on this machine are always reached directly.
    """
    parts = urlsplit(server)
    host = (parts.hostname or "").rstrip(".").lower()
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_matches(each.strip().lower(), host, address, port) for each in exceptions.split(",") if each.strip())


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _matches(exception: str, host: str, address: Address | None, port: int) -> bool:
    if exception == "*":
        return True
    if "/" in exception:
        try:
            return address is not None and address in ipaddress.ip_network(exception, strict=False)
        except ValueError:
            return False
    name, wanted = _split_port(exception)
    if wanted and wanted != str(port):
        return False
    named = _address(name)
    if named is not None:
        return named == address
    if address is not None or not name:
        return False
    if name.startswith("*."):
        name = name[1:]
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def _split_port(text: str) -> tuple[str, str]:
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        return name, rest.removeprefix(":")
    return (text, "") if text.count(":") != 1 else (text.partition(":")[0], text.partition(":")[2])


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
