"""Which shard a namespace's jobs belong to. Shards are the unit of leadership: whoever holds a shard's Lease acts on it.

Changing the number of shards moves jobs between Leases, so it is only allowed while no operator runs.
"""

import zlib


def shard_of(*, namespace: str, shards: int) -> int:
    """Map a namespace to one of `shards` shards, the same in every process and version (CRC-32, modulo)."""
    if shards == 1:
        return 0
    return zlib.crc32(namespace.encode()) % shards
