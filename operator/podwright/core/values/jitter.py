"""Randomness that every process computes alike, so that a restart neither shortens nor re-rolls a delay."""

import hashlib

_SPAN = float(1 << 64)


def fraction(*key: str | int) -> float:
    """Return a number in [0, 1), evenly spread over different keys and always the same for one key."""
    text = "/".join(str(part) for part in key)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / _SPAN
