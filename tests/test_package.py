"""What is published: the wheel holds all that `podwright` needs where there is no checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
LOOK = "from podwright.cli.demo.install import manifests_directory; print(manifests_directory())"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of the wheel, as an installation would have it."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-c", BUILD, str(directory)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()[-1]
    with zipfile.ZipFile(directory / built) as wheel:
        wheel.extractall(directory / "content")
    return directory / "content"


def test_the_wheel_holds_the_manifests_where_the_demo_finds_them(unpacked: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(unpacked)}
    command = [sys.executable, "-c", LOOK]
    answer = subprocess.run(command, cwd=unpacked, env=environment, capture_output=True, text=True, check=True)
    assert Path(answer.stdout.strip()) == unpacked / "podwright" / "_install" / "manifests"
    for directory in ("crds", "manifests"):
        originals = [path.relative_to(ROOT) for path in (ROOT / directory).rglob("*.yaml")]
        assert len(originals) >= 2
        for original in originals:
            copy = unpacked / "podwright" / "_install" / original
            assert copy.read_bytes() == (ROOT / original).read_bytes()


def test_the_wheel_holds_the_programs_data_and_nothing_of_the_tests(unpacked: Path) -> None:
    assert (unpacked / "podwright" / "devcluster" / "stages" / "pod.yaml").is_file()
    assert (unpacked / "podwright" / "devcluster" / "gomodules" / "kubernetes" / "go.sum").is_file()
    assert (unpacked / "podwright" / "py.typed").is_file()
    assert {path.name.partition("-")[0] for path in unpacked.iterdir()} == {"podwright"}
