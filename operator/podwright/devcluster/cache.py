"""The cache directory outside the checkout: locks between starters, and publishing that is all or nothing.

Used by `toolchain` and `build`. An entry's name contains a digest of everything that shaped it, so an entry is
never changed once it is there, and removing the whole directory only costs time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from podwright.devcluster.errors import BuildError
from podwright.devcluster.files import try_lock
from podwright.devcluster.invoker import hand_over, make_directories, user_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CACHE_VARIABLE = "PODWRIGHT_CACHE"
_LOCK_POLL_SECONDS = 0.1


def cache_directory() -> Path:
    """Return the cache's root: `$PODWRIGHT_CACHE`, else `$XDG_CACHE_HOME/podwright`, else `~/.cache/podwright`."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named).expanduser().absolute()
    return user_directory("XDG_CACHE_HOME", ".cache") / "podwright"


def make_directory(path: Path) -> Path:
    """Create `path` and its parents, or say why that is impossible."""
    try:
        make_directories(path)
    except OSError as error:
        raise BuildError(
            f"The directory {path} cannot be created: {error.strerror}.",
            remedy=f"Make it writable, or name another cache directory in {CACHE_VARIABLE}.",
        ) from error
    return path


def digest(*parts: str | bytes) -> str:
    """Return a short content address of `parts`, in which the borders between the parts count."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big") + data)
    return state.hexdigest()[:20]


@contextlib.contextmanager
def exclusive(name: str, *, while_waiting: Callable[[float], None]) -> Iterator[None]:
    """Hold the cache's lock `name`, across processes; the kernel frees it if the holder dies.

    `while_waiting` is called with the seconds waited so far, until another holder is done.
    """
    path = make_directory(cache_directory() / "locks") / f"{name}.lock"
    began = time.monotonic()
    while True:
        with try_lock(path) as held:
            if held:
                yield
                return
        while_waiting(time.monotonic() - began)
        time.sleep(_LOCK_POLL_SECONDS)


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """Yield a temporary directory on the cache's own file system, so that a result can be renamed into place."""
    parent = make_directory(cache_directory() / "work")
    try:
        path = Path(tempfile.mkdtemp(dir=parent))
    except OSError as error:
        raise BuildError(
            f"No temporary directory can be made in {parent}: {error.strerror}.",
            remedy=f"Free some space or make it writable, or name another cache directory in {CACHE_VARIABLE}.",
        ) from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def publish(source: Path, target: Path) -> None:
    """Move a finished file or directory to its final name in one step. Call it under the entry's lock."""
    make_directory(target.parent)
    hand_over(source, recursive=True)
    source.rename(target)
