"""What Podwright tells kopf: to log in with our credentials, to write nothing by itself, and to endure outages.

kopf's part is the frame and the definition kinds, which change rarely. Jobs and pods never go through it: an event costs it
a hundred times what the reflector takes, and it keeps objects that vanished during an outage.
"""

import itertools
import random
from typing import Any

import kopf

from podwright.kube.credentials import Credentials

_LONGEST_PAUSE = 30.0


class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no copy of the last handled state: our handlers look at the state, and the copy would double each object."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> Any:
        """Return an empty essence, so that none is computed."""
        return {}

    def fetch(self, *, body: kopf.Body) -> None:
        """Return no former state."""

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: Any) -> None:
        """Write nothing."""


class EndlessBackoffs:
    """Pauses between tries, for ever: kopf ends the process once its list of pauses does."""

    def __iter__(self) -> Any:
        """Count up to half a minute and stay there, jittered."""
        return (min(_LONGEST_PAUSE, 2.0**n) * random.uniform(0.5, 1.0) for n in itertools.count())


def configure(settings: kopf.OperatorSettings) -> None:
    """Set what keeps kopf from writing anything and from dying of an outage."""
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.watching.chunk_size = 500
    settings.networking.error_backoffs = EndlessBackoffs()
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.queueing.idle_timeout = 1.0


def connection(credentials: Credentials) -> kopf.ConnectionInfo:
    """Return our credentials in kopf's form."""
    access = credentials.access
    return kopf.ConnectionInfo(
        server=access.server,
        ca_path=access.authority_file or None,
        insecure=not access.verify or None,
        token=access.token or None,
        certificate_path=access.certificate_file or None,
        private_key_path=access.key_file or None,
    )
