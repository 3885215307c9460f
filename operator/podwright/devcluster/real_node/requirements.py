"""Whether this machine can have real nodes, found out by trying; and if not, the one sentence that says why.

Called by whoever chooses the kind of nodes, and by tests. The trial runs in a process of its own, in namespaces of its
own, and leaves nothing.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

_TRIAL_SECONDS = 30.0
SOURCES = Path(__file__).parents[3]
"""The directory from which Python imports `podwright`, also for child processes."""


@functools.cache
def why_not_real() -> str | None:
    """Return None if real nodes are possible here, else one sentence that says what is missing and what to do."""
    if sys.platform != "linux":
        return (
            f"Real nodes need Linux, and this is {sys.platform}: use kind with a container engine, or simulated nodes."
        )
    if os.geteuid() != 0:
        return "Real nodes need root, for namespaces, mounts and cgroups: run the command with sudo."
    from podwright.devcluster.real_node import busybox

    for program in ("sh", "sed"):
        if shutil.which(program) is None:
            return f"Real nodes need the program {program} on PATH: install it."
    return busybox.why_not_available() or _try()


def obstacles() -> tuple[str, ...]:
    """`why_not_real` as a list of sentences, empty if nothing stands in the way."""
    reason = why_not_real()
    return () if reason is None else (reason,)


def _try() -> str | None:
    try:
        trial = subprocess.run(
            [sys.executable, "-m", "podwright.devcluster.real_node.trial"],
            capture_output=True,
            text=True,
            timeout=_TRIAL_SECONDS,
            check=False,
            env=python_environment(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"Whether real nodes are possible could not be tried ({error}): try again, or use simulated nodes."
    if trial.returncode == 0:
        return None
    return trial.stdout.strip() or f"Trying whether real nodes are possible failed: {trial.stderr.strip()[-500:]}"


def python_environment() -> dict[str, str]:
    """Return the environment for a child that runs one of this package's modules, however this process found the package."""
    path = [str(SOURCES), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path)}
