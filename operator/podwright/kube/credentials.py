"""Where the API server is and who we are to it: the service account inside a cluster, or a kubeconfig outside.

The only module of this layer that knows the official client, and only for kubeconfigs (contexts, exec plugins, provider
logins). Used by whoever makes an `ApiClient`. It never guesses a cluster: a kubeconfig is named by the caller or by the
KUBECONFIG variable, and the default file in the home directory is not looked at.
"""

import asyncio
import contextlib
import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol, TypeVar, cast

import msgspec

from podwright.kube.proxy import ProxyError, checked_proxy, proxy_for

T = TypeVar("T")

SERVICE_ACCOUNT_DIRECTORY: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_LIFE: Final = 60.0
"""Seconds after which the token file is read again; the kubelet replaces tokens well before they expire."""


class CredentialsError(Exception):
    """There are no usable credentials; the message says what was looked for and what to do."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to reach an API server. Empty fields are not used; without `verify` any certificate is accepted.

    `proxy` is the URL of an HTTP proxy.
    """

    server: str
    token: str = ""
    authority_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    verify: bool = True
    server_name: str = ""
    proxy: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Return the files whose content belongs to the connection."""
        return tuple(filter(None, (self.authority_file, self.certificate_file, self.key_file)))


class Credentials(Protocol):
    """What `ApiClient` asks for."""

    @property
    def access(self) -> Access:
        """Return the present credentials, reading a rotated token when it is due."""
        ...

    async def reload(self) -> None:
        """Get fresh credentials, since the API server refused the present ones.

        Raises:
            CredentialsError: there are none.
        """
        ...


class FixedCredentials:
    """Credentials that never change."""

    def __init__(self, access: Access) -> None:
        self._access = access

    @property
    def access(self) -> Access:
        """Return the credentials."""
        return self._access

    async def reload(self) -> None:
        """Do nothing: there are no others."""


class ServiceAccountCredentials:
    """The service account of the pod that we run in."""

    def __init__(
        self, *, server: str, directory: Path, proxy: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._server = server
        self._proxy = proxy
        self._directory = directory
        self._clock = clock
        self._access = self._read()
        self._read_at = clock()

    @property
    def access(self) -> Access:
        """Return the present credentials; the token file is read again once a minute."""
        if self._clock() - self._read_at >= _TOKEN_LIFE:
            self._read_at = self._clock()
            # The former token may still be good; if not, the API server says so.
            with contextlib.suppress(CredentialsError):
                self._access = self._read()
        return self._access

    async def reload(self) -> None:
        """Read the token now."""
        self._access = await run_in_thread(self._read)
        self._read_at = self._clock()

    def _read(self) -> Access:
        token_file, authority = self._directory / "token", self._directory / "ca.crt"
        try:
            token = token_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise CredentialsError(f"cannot read the service account's token {token_file}: {error}") from error
        if not token or not authority.exists():
            raise CredentialsError(
                f"{self._directory} must hold a token and ca.crt: is the token mounted into the pod?"
            )
        return Access(server=self._server, token=token, authority_file=str(authority), proxy=self._proxy)


class KubeconfigCredentials:
    """A context of a kubeconfig, read by the official client's loader."""

    def __init__(self, *, path: str, context: str | None = None, environment: Mapping[str, str] = os.environ) -> None:
        self._path = path
        self._environment = environment
        self._context = context
        self._access = self._read()

    @property
    def access(self) -> Access:
        """Return the credentials of the last reading."""
        return self._access

    async def reload(self) -> None:
        """Read the kubeconfig again, and run its credential plugin if it names one. That takes as long as the plugin does."""
        self._access = await run_in_thread(self._read)

    def _read(self) -> Access:
        # Imported here: it takes most of a second, and inside a cluster nobody needs it.
        from kubernetes.client import Configuration
        from kubernetes.config import load_kube_config

        configuration = Configuration()
        # What is there now is from the environment; whatever the loader puts there is the kubeconfig's `proxy-url`.
        configuration.proxy = None
        try:
            load_kube_config(  # type: ignore[no-untyped-call]  # the official loader has no types
                config_file=self._path,
                context=self._context,
                client_configuration=configuration,
                persist_config=False,
            )
        except Exception as error:
            # The loader lets the errors of its YAML parser, its plugins and its own bugs through; all mean the same here.
            raise CredentialsError(f"cannot use the kubeconfig {self._path}: {error}") from error
        server = configuration.host.rstrip("/")
        named = cast("str | None", configuration.proxy)
        try:
            proxy = checked_proxy(named, source="proxy-url") if named else proxy_for(server, self._environment)
        except ProxyError as error:
            raise CredentialsError(f"cannot use the kubeconfig {self._path}: {error}") from error
        return Access(
            server=server,
            token=(configuration.api_key.get("BearerToken") or "").removeprefix("Bearer "),
            authority_file=configuration.ssl_ca_cert or "",
            certificate_file=configuration.cert_file or "",
            key_file=configuration.key_file or "",
            verify=bool(configuration.verify_ssl),
            server_name=configuration.tls_server_name or "",
            proxy=proxy,
        )


def load_credentials(
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    environment: Mapping[str, str] = os.environ,
    directory: Path = SERVICE_ACCOUNT_DIRECTORY,
) -> Credentials:
    """Find credentials: the named kubeconfig, else the one that KUBECONFIG names, else the pod's service account.

    Raises:
        CredentialsError: none of them can be used.
    """
    path = kubeconfig or environment.get("KUBECONFIG")
    if path:
        return KubeconfigCredentials(path=path, context=context, environment=environment)
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise CredentialsError(
            "no cluster is named: this is no pod (KUBERNETES_SERVICE_HOST is not set) and neither a kubeconfig nor the "
            "variable KUBECONFIG is given"
        )
    address = f"[{host}]" if ":" in host else host
    server = f"https://{address}:{port}"
    try:
        proxy = proxy_for(server, environment)
    except ProxyError as error:
        raise CredentialsError(f"cannot use the proxy of the environment: {error}") from error
    return ServiceAccountCredentials(server=server, directory=directory, proxy=proxy)


async def run_in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread that keeps neither the loop nor the process from ending, however long it takes."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(cast("T", value))

    def run() -> None:
        value: T | None = None
        problem: BaseException | None = None
        try:
            value = work()
        except BaseException as error:
            problem = error
        with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
            loop.call_soon_threadsafe(settle, value, problem)

    threading.Thread(target=run, name="credentials", daemon=True).start()
    return await result


def ssl_context(access: Access) -> ssl.SSLContext:
    """Make the TLS context for an API server: its own authority if one is given, else the system's.

    Raises:
        CredentialsError: a certificate or key cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=access.authority_file or None)
    except (OSError, ssl.SSLError) as error:
        raise CredentialsError(f"cannot load the authority {access.authority_file}: {error}") from error
    # Cluster authorities often lack extensions that newer Pythons insist on.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    load_certificates(context, access)
    return context


def load_certificates(context: ssl.SSLContext, access: Access) -> None:
    """Load authority and client certificate into a new context.

    Raises:
        CredentialsError: a certificate or key cannot be read.
    """
    try:
        if access.authority_file:
            context.load_verify_locations(cafile=access.authority_file)
        if access.certificate_file:
            context.load_cert_chain(access.certificate_file, access.key_file or None)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (access.authority_file, access.certificate_file, access.key_file)))
        raise CredentialsError(f"cannot load the certificates for {access.server} ({files}): {error}") from error
