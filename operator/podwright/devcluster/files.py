"""Files: writing them so that a reader, or a crash, never sees half of one; and pairs of certificate and key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class KeyPair:
    """A certificate (or a public key) and its private key, as PEM files."""

    certificate: Path
    key: Path


def write_atomically(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace `path` by `content` in one step, with permission bits `mode`."""
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        staged.replace(path)
    except BaseException:  # also a signal that ends the program
        staged.unlink(missing_ok=True)
        raise


def remove_staged(path: Path) -> None:
    """Remove what a crash in the middle of `write_atomically` left of `path`."""
    for staged in path.parent.glob(f".{path.name}.*"):
        staged.unlink(missing_ok=True)
