"""Files: written so that a reader, or a crash, never sees half of one; locks that leave nothing; certificates with their keys."""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from podwright.devcluster.invoker import hand_over

if TYPE_CHECKING:
    from collections.abc import Iterator
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
        hand_over(staged)
        staged.replace(path)
    except BaseException:  # also a signal that ends the program
        staged.unlink(missing_ok=True)
        raise


def remove_staged(path: Path) -> None:
    """Remove what a crash in the middle of `write_atomically` left of `path`."""
    for staged in path.parent.glob(f".{path.name}.*"):
        staged.unlink(missing_ok=True)


@contextlib.contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold the lock `path` during the block if nobody else does; yields whether that is so.

    The kernel frees it if the holder dies. Its file is there only while it is held, but for one that a killed holder left.
    """
    with path.open("a") as file:
        with contextlib.suppress(FileNotFoundError):
            hand_over(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        if not _is_at(path, file.fileno()):
            # The former holder removed the file after we opened it: whoever comes next locks another one.
            yield False
            return
        try:
            yield True
        finally:
            # Before the lock is freed, so that nobody can hold a file that is about to go.
            path.unlink(missing_ok=True)


def _is_at(path: Path, descriptor: int) -> bool:
    opened = os.fstat(descriptor)
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)
