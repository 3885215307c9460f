"""Free TCP ports on loopback for several clusters that start side by side.

Taken from below the range that the kernel gives to outgoing connections, since a client's source port could
otherwise occupy a port between the choice and the server's bind.
"""

from __future__ import annotations

import contextlib
import random
import socket
from typing import TYPE_CHECKING

from podwright.devcluster import cache
from podwright.devcluster.errors import StartError
from podwright.devcluster.files import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PORTS = range(18_000, 29_900)
_ATTEMPTS = 200


@contextlib.contextmanager
def free_ports(count: int) -> Iterator[tuple[int, ...]]:
    """Yield `count` distinct free ports, kept from other starters of this user until the block ends."""
    directory = cache.make_directory(cache.cache_directory() / "ports")
    _remove_abandoned(directory)
    with contextlib.ExitStack() as locks:
        ports: list[int] = []
        for port in random.sample(_PORTS, _ATTEMPTS):
            if len(ports) == count:
                break
            if locks.enter_context(try_lock(directory / str(port))) and _is_free(port):
                ports.append(port)
        if len(ports) < count:
            raise StartError(f"No {count} free TCP ports were found on loopback between {_PORTS[0]} and {_PORTS[-1]}.")
        yield tuple(ports)


def _remove_abandoned(directory: Path) -> None:
    """Remove the lock files of starters that were killed."""
    for path in directory.iterdir():
        with contextlib.suppress(OSError), try_lock(path):
            pass


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
