"""Carries TCP connections between the machine's loopback and the node's network namespace.

Two directions: what the node and its pods send to the service `kubernetes` goes to the API server on the machine's
loopback, and what the API server sends to the node's port on loopback goes to the kubelet. A socket belongs for life
to the namespace in which it was made, so one process outside the node can hold both ends. Called by `launcher`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Address = tuple[str, int]
_CHUNK_BYTES = 256 * 1024
_BACKLOG = 512


def listening_socket(address: Address) -> socket.socket:
    """Return a socket that listens at `address`, in the network namespace that the calling thread is in."""
    listener = socket.create_server(address, backlog=_BACKLOG)
    listener.setblocking(False)
    return listener


def stream_socket() -> socket.socket:
    """Return an unconnected socket for asyncio, in the network namespace that the calling thread is in."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    return made


async def relay(listener: socket.socket, *, target: Address, make_socket: Callable[[], socket.socket]) -> None:
    """Connect everyone who comes to `listener` with `target`, until cancelled.

    `make_socket` makes the outgoing sockets, so it decides in which network namespace `target` is looked for.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await _serve(reader, writer, target=target, make_socket=make_socket)

    server = await asyncio.start_server(serve, sock=listener, limit=_CHUNK_BYTES)
    async with server:
        await server.serve_forever()


async def _serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    target: Address,
    make_socket: Callable[[], socket.socket],
) -> None:
    outgoing = make_socket()
    try:
        await asyncio.get_running_loop().sock_connect(outgoing, target)
        outgoing.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far_reader, far_writer = await asyncio.open_connection(sock=outgoing, limit=_CHUNK_BYTES)
    except OSError:
        outgoing.close()
        writer.transport.abort()
        raise
    try:
        async with asyncio.TaskGroup() as directions:
            directions.create_task(_copy(reader, far_writer))
            directions.create_task(_copy(far_reader, writer))
    finally:
        writer.transport.abort()
        far_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        # Only this direction ended; the other may still have an answer to carry.
        writer.write_eof()
    except OSError:
        # A reset in one direction ends both: the abort makes the other copy's read return.
        writer.transport.abort()
