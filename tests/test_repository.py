"""What must hold for the repository as a whole, where no single module could check it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import podwright

ROOT = Path(__file__).parent.parent
TOP_LEVEL = {
    ".ci", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "charts", "crds", "docs",
    "manifests", "operator", "pyproject.toml", "requirements.lock", "tests",
}  # fmt: skip


def tracked(*, below: str = "") -> list[Path]:
    """Files that git knows of, relative to the root and without those deleted in the working tree."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--", below or "."], cwd=ROOT, check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"not a git checkout, so there is no list of the files that belong to it: {error}")
    paths = [Path(name.decode()) for name in listing.stdout.split(b"\0") if name]
    return [path for path in paths if (ROOT / path).exists()]


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_operator_directory_is_no_package() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists(), (
        "it would shadow the operator module of the standard library"
    )


def test_top_level_holds_only_what_is_customary() -> None:
    assert {path.parts[0] for path in tracked()} <= TOP_LEVEL


def test_version_is_stated_once_more_only_where_it_can_be_read_without_installing() -> None:
    assert podwright.__version__ == pyproject()["project"]["version"]


def test_lock_file_is_in_step_with_pyproject() -> None:
    project = pyproject()
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for extra in project["project"]["optional-dependencies"].values():
        wanted += extra
    for group in project["dependency-groups"].values():
        wanted += group
    locked = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        assert name in locked, f"{requirement} isn't locked; run `make lock`"
        assert requirement.specifier.contains(locked[name]), (
            f"{name}=={locked[name]} isn't {requirement}; run `make lock`"
        )


def test_lock_file_has_a_hash_for_everything_and_names_no_host() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    entries = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert len(entries) > 50
    for entry in entries:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_the_check_installs_what_the_readme_names_and_nothing_else() -> None:
    named = re.search(r"`apt-get install ([a-z0-9 -]+)`", (ROOT / "README.md").read_text())
    assert named is not None
    installed = set(re.findall(r"missing\+=\(([a-z0-9-]+)\)", (ROOT / ".ci" / "run").read_text()))
    assert installed == set(named[1].split())


def test_u1_every_example_uses_an_image_that_the_demo_has() -> None:
    pages = [path for path in tracked() if path.suffix == ".md" and path.parts[0] in {"README.md", "docs"}]
    examples = [block for page in pages for block in re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), re.S)]
    examples += [(ROOT / path).read_text() for path in tracked(below="manifests/examples") if path.suffix == ".yaml"]
    jobs = [example for example in examples if "\nkind: BatchJob\n" in example]
    assert len(jobs) > 20
    for job in jobs:
        images = set(re.findall(r"^ +(?:- )?image: (\S+)$", job, re.M))
        # The only other one may be the reader's own, of a host that nobody has (RFC 2606).
        assert all(image == "busybox:1" or image.startswith("registry.example.com/") for image in images), job


def test_u2_the_page_about_the_command_line_says_how_to_get_it() -> None:
    page = (ROOT / "docs" / "how-to" / "use-the-command-line.md").read_text()
    assert page.index("pip install .") < page.index("podwright submit"), "before its first use"
    assert "pip install ." in (ROOT / "README.md").read_text()


def test_u3_no_page_offers_an_image_that_is_not_published() -> None:
    """The Deployment names an image that nobody can pull: whoever installs it must be told so beside the command."""
    (image,) = re.findall(r"image: (\S+)", (ROOT / "manifests" / "deployment.yaml").read_text())
    assert image.startswith("podwright.dev/"), "a registry's image: then the pages may say that one command installs it"
    for page in ("README.md", "docs/how-to/install.md"):
        text = " ".join((ROOT / page).read_text().split())
        assert "none is published yet" in text or "no published image of the operator yet" in text, page


def test_u11_nothing_speaks_of_kinds_that_do_not_exist() -> None:
    described = [pyproject()["project"]["description"], *pyproject()["project"]["keywords"]]
    described += [
        line for path in ("README.md", "charts/podwright/Chart.yaml") for line in (ROOT / path).read_text().splitlines()
    ]
    kinds = re.compile(r"\b(workflows?|queues?|schedules?|triggers?)\b", re.IGNORECASE)
    assert [line for line in described if kinds.search(line)] == []


def test_u25_no_page_refers_to_a_row_of_a_table_by_its_place() -> None:
    """The rows change, and the words then mean another: name what is meant."""
    places = re.compile(r"\b(the (last|first) (two|three|row|line)|the (last|first) of these)\b")
    page = ROOT / "docs" / "reference" / "labels-and-environment.md"
    assert places.findall(page.read_text()) == []


def test_core_imports_only_the_standard_library_and_msgspec() -> None:
    core = ROOT / "operator" / "podwright" / "core"
    # The one exception, and where it holds: ADR 0013.
    with_re2 = {core / "attempt" / name for name in ("message_pattern.py", "redaction.py", "report.py")}
    for path in core.rglob("*.py"):
        allowed = {*sys.stdlib_module_names, "msgspec"} | ({"re2"} if path in with_re2 else set())
        for node in ast.walk(ast.parse(path.read_text())):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules = [node.module]
            for module in modules:
                ours = module == "podwright.core" or module.startswith("podwright.core.")
                assert ours or module.partition(".")[0] in allowed, f"{path.relative_to(ROOT)} imports {module}"


def test_every_module_says_what_it_is_for() -> None:
    for path in (ROOT / "operator" / "podwright").rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path.relative_to(ROOT)} has no docstring"


def test_every_page_can_be_reached_from_the_readme() -> None:
    pages = {path for path in tracked() if path.suffix == ".md" and path.parts[0] in {"docs", "README.md"}}
    reached: set[Path] = set()
    to_read = [Path("README.md")]
    while to_read:
        page = to_read.pop()
        reached.add(page)
        to_read += [target for target in links_of(page) if target.suffix == ".md" and target not in reached]
    assert pages <= reached, f"no link leads to {sorted(map(str, pages - reached))}"


def test_links_between_files_lead_somewhere() -> None:
    for page in tracked():
        if page.suffix == ".md":
            for target in links_of(page):
                assert (ROOT / target).exists(), f"{page} links to {target}, which doesn't exist"


def links_of(page: Path) -> list[Path]:
    """Files that a page links to, relative to the root. Links to the web and within the page aren't among them."""
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text()):
        target = link.partition("#")[0]
        if target and "://" not in target:
            found.append((ROOT / page.parent / target).resolve().relative_to(ROOT))
    return found


@pytest.mark.parametrize("directory", ["operator", "crds", "manifests", "charts", "tests", "docs"])
def test_files_end_with_a_newline_and_hold_no_tabs_in_yaml(directory: str) -> None:
    for path in tracked(below=directory):
        if path.suffix in {".py", ".yaml", ".md"} and (content := (ROOT / path).read_bytes()):
            assert content.endswith(b"\n"), f"{path} doesn't end with a newline"
            assert path.suffix != ".yaml" or b"\t" not in content, f"{path} holds a tab"
