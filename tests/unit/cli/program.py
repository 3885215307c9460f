"""Runs the `podwright` program the way a shell would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PODWRIGHT = Path(sys.executable).with_name("podwright")
SECONDS = 60.0


def run(*arguments: str, timeout: float = SECONDS, program: Path = PODWRIGHT) -> subprocess.CompletedProcess[str]:
    # The width decides where help texts break.
    environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, check=False, timeout=timeout, env=environment
    )
