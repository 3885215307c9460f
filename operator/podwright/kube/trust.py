"""The TLS context of connections to one API server, made anew when its certificates change. Used by the client.

Clusters replace their authorities, and kubelets and certificate managers the files, while we run. A context that is replaced takes
its pooled connections with it: they were made with the old certificates, and the client looks for connections by context.
"""

import logging
import os
import ssl
import time
from collections.abc import Callable
from typing import Final

from podwright.kube.access import Access, CredentialsError, ssl_context
from podwright.kube.credentials import Credentials

_LOOK_SECONDS: Final = 10.0  # between looks at the files
_RELOAD_SECONDS: Final = 5.0  # between reloads because of a certificate that we don't trust

_log = logging.getLogger(__name__)

_Stamp = tuple[tuple[str, int, int, int], ...]


class Trust:
    """Whom we trust and who we are, for new connections."""

    def __init__(self, credentials: Credentials, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Load the certificates.

        Raises:
            CredentialsError: they cannot be read.
        """
        self._credentials = credentials
        self._clock = clock
        self._tried_at = float("-inf")
        self._looked_at = clock()
        self._load(credentials.access)

    @property
    def context(self) -> ssl.SSLContext | bool:
        """Return the present context; the files are looked at every ten seconds. True stands for none, where TLS isn't used."""
        now = self._clock()
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            access = self._credentials.access
            if (access.files, _stamp(access)) != (self._files, self._stamp):
                try:
                    self._load(access)
                    _log.info("loaded new certificates for %s", access.server)
                except CredentialsError as error:
                    # They may be half written; what was loaded is still there.
                    _log.warning("cannot load new certificates yet: %s", error)
        return self._context

    def may_reload(self) -> bool:
        """Return whether it is time to look for other certificates: a server that nobody trusts must not cost a reload each time."""
        now = self._clock()
        if now - self._tried_at < _RELOAD_SECONDS:
            return False
        self._tried_at = now
        return True

    def reload(self) -> None:
        """Load the certificates anew, so that no further request uses a connection that was made with the old ones.

        Raises:
            CredentialsError: they cannot be read.
        """
        access = self._credentials.access
        if access.files:
            self._load(access)

    def _load(self, access: Access) -> None:
        stamp = _stamp(access)
        self._context: ssl.SSLContext | bool = ssl_context(access) if access.server.startswith("https:") else True
        self._files, self._stamp, self._looked_at = access.files, stamp, self._clock()


def _stamp(access: Access) -> _Stamp:
    """Return what tells a changed file from an unchanged one; links, as the kubelet makes them, are followed."""
    found = []
    for path in access.files:
        try:
            status = os.stat(path)
        except OSError:
            continue
        found.append((path, status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(found)
