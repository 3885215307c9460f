"""Where the API server is and who we are to it: the service account inside a cluster, or a kubeconfig outside.

Used by whoever makes an `ApiClient`, and by the command line. It never guesses a cluster: a kubeconfig is named by the caller or by
the KUBECONFIG variable, and the default file in the home directory is not looked at.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol, TypeVar, cast

from podwright.kube.access import Access, CredentialsError
from podwright.kube.kubeconfig import read_kubeconfig
from podwright.kube.proxy import ProxyError, proxy_for

T = TypeVar("T")

SERVICE_ACCOUNT_DIRECTORY: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_LIFE: Final = 60.0
"""Seconds after which the token file is read again; the kubelet replaces tokens well before they expire."""


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

    def refresh(self) -> None:
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
        await run_in_thread(self.refresh)

    def refresh(self) -> None:
        """Read the token at once.

        Raises:
            CredentialsError: there is none.
        """
        self._access = self._read()
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
        namespace = self._directory / "namespace"
        return Access(
            server=self._server,
            token=token,
            authority_file=str(authority),
            proxy=self._proxy,
            namespace=namespace.read_text(encoding="utf-8").strip() if namespace.exists() else "",
        )


class KubeconfigCredentials:
    """A context of a kubeconfig."""

    def __init__(
        self,
        *,
        path: str,
        context: str | None = None,
        environment: Mapping[str, str] = os.environ,
        persist: bool = False,
    ) -> None:
        self._path = path
        self._persist = persist
        self._environment = environment
        self._context = context
        self._access = self._read()

    @property
    def access(self) -> Access:
        """Return the credentials of the last reading."""
        return self._access

    async def reload(self) -> None:
        """Read the kubeconfig again, and run its credential plugin if it names one. That takes as long as the plugin does."""
        await run_in_thread(self.refresh)

    def refresh(self) -> None:
        """Read the kubeconfig again at once.

        Raises:
            CredentialsError: it can't be used any more.
        """
        self._access = self._read()

    def _read(self) -> Access:
        return read_kubeconfig(self._path, context=self._context, environment=self._environment, persist=self._persist)


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
    return in_pod(environment, directory=directory)


def in_pod(environment: Mapping[str, str], *, directory: Path = SERVICE_ACCOUNT_DIRECTORY) -> ServiceAccountCredentials:
    """Return the credentials of the pod that we run in.

    Raises:
        CredentialsError: this is no pod, or its service account can't be used.
    """
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
