"""Who typed `sudo`: what root makes for somebody belongs into their directories, and must be theirs to read and remove.

Used by `cache`, `state`, `kubeconfig` and the command line. Without sudo, or as anybody but root, nothing here does anything.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Invoker:
    """An ordinary user for whom this process runs as root."""

    uid: int
    gid: int
    home: Path


def invoker() -> Invoker | None:
    """Return who runs this process by sudo; None if nobody does."""
    named = os.environ.get("SUDO_UID", "")
    if os.geteuid() != 0 or not named.isdigit() or int(named) == 0:
        return None
    try:
        entry = pwd.getpwuid(int(named))
    except KeyError:
        return None
    return Invoker(uid=entry.pw_uid, gid=entry.pw_gid, home=Path(entry.pw_dir))


def home_directory() -> Path:
    """Return the home of the invoker, or of the user that this process runs as."""
    found = invoker()
    return Path.home() if found is None else found.home


def user_directory(variable: str, default: str) -> Path:
    """Return the directory of the XDG base directory specification that `variable` names, by default one below the home."""
    named = os.environ.get(variable)
    return Path(named) if named else home_directory() / default


def make_directories(path: Path, *, mode: int = 0o777) -> None:
    """Create `path` and its parents; those that are new belong to the invoker. Raises OSError."""
    new = []
    for directory in (path, *path.parents):
        if directory.exists():
            break
        new.append(directory)
    path.mkdir(parents=True, exist_ok=True, mode=mode)
    for directory in new:
        hand_over(directory)


def hand_over(path: Path, *, recursive: bool = False) -> None:
    """Make `path`, and with `recursive` all below it, the invoker's own."""
    found = invoker()
    if found is None:
        return
    os.chown(path, found.uid, found.gid, follow_symlinks=False)
    if recursive:
        for directory, directories, files in os.walk(path):
            for name in (*directories, *files):
                os.chown(Path(directory, name), found.uid, found.gid, follow_symlinks=False)
