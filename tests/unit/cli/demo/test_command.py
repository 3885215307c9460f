from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from podwright.cli.demo.command import _podwright

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("script", "search", "said"),
    [
        ("bin/podwright", "bin", "podwright"),
        ("bin/podwright", "", "bin/podwright"),
        ("bin/podwright", "other", "bin/podwright"),
        ("../bin/podwright", "", "{outside}/bin/podwright"),
        ("podwright/__main__.py", "", f"{sys.executable} -m podwright"),
    ],
)
def test_what_to_type_is_what_was_typed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, search: str, said: str
) -> None:
    here = tmp_path / "here"
    for program in (here / "bin" / "podwright", here / "other" / "podwright", tmp_path / "bin" / "podwright"):
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch(mode=0o755)
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "argv", [str((here / script).resolve())])
    monkeypatch.setenv("PATH", str(here / search) if search else "")
    assert _podwright() == said.format(outside=tmp_path)
