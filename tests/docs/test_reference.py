"""What the pages say of the code is what the code says: generated sections, and names that a page must list in full."""

from __future__ import annotations

import ast
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from podwright.cli.reference.__main__ import SECTIONS, main
from podwright.cli.reference.sections import SectionError, table, with_section
from podwright.core.attempt import refusal
from podwright.core.constants import names
from podwright.core.constants.reasons import Reason
from podwright.core.model.attempt import Outcome
from podwright.core.model.phase import Phase
from podwright.core.run.conditions import run_conditions
from podwright.core.run.stop import Stop
from tests.docs.pages import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "before\n<!-- generated: x, by `make crds` -->\nold\n<!-- end of x -->\nafter\n"


def text_of(page: str) -> str:
    return (REPOSITORY / "docs" / page).read_text(encoding="utf-8")


def test_generated_sections_are_up_to_date() -> None:
    assert main(["--check"]) == 0


def test_a_stale_section_is_found_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(REPOSITORY / "docs", tmp_path / "docs")
    page = tmp_path / "docs" / "reference" / "metrics.md"
    original = page.read_text()
    page.write_text(original.replace("podwright_decisions_total", "podwright_guesses_total"))
    assert main(["--check", "--into", str(tmp_path)]) == 1
    assert "docs/reference/metrics.md" in capsys.readouterr().err
    assert main(["--into", str(tmp_path)]) == 0
    assert page.read_text() == original


def test_a_page_without_its_section_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for page, _ in SECTIONS:
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / page).write_text("nothing\n")
    assert main(["--into", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("must have exactly one section") == len({page for page, _ in SECTIONS})


def test_only_what_lies_between_the_comments_is_replaced() -> None:
    once = with_section(PAGE, name="x", content="new\n")
    assert once == PAGE.replace("old\n", "\nnew\n\n")
    assert with_section(once, name="x", content="new") == once
    with pytest.raises(SectionError):
        with_section(PAGE, name="y", content="new")
    with pytest.raises(SectionError):
        with_section(PAGE + PAGE, name="x", content="new")


def test_a_cell_cannot_break_the_table() -> None:
    assert table(("A", "B"), [("one | two", "two\nlines")]) == "| A | B |\n| --- | --- |\n| one \\| two | two lines |"


def test_every_label_annotation_and_variable_is_explained() -> None:
    constants = {
        value for name, value in vars(names).items() if name.startswith(("LABEL_", "ANNOTATION_", "ENV_", "FINALIZER"))
    }
    assert len(constants) >= 12
    page = text_of("reference/labels-and-environment.md")
    assert [value for value in sorted(constants) if f"`{value}`" not in page] == []


def test_every_reason_to_wait_or_fail_is_explained() -> None:
    refused = {refusal.classify(code=code, message="")[1] for code in (400, 403, 413, 422, 500)}
    passing = {refusal.classify(code=403, message=words)[1] for words, _ in refusal._PASSING}
    page = text_of("how-to/troubleshoot.md")
    assert [reason for reason in sorted(refused | passing | set(Stop)) if f"`{reason}`" not in page] == []


NO_REASONS = {
    # Values of spec fields, and what Kubernetes calls things.
    *("AtLeastOnce", "AtMostOnce", "BatchJob", "FailTask", "RetryFree", "FallbackToLogsOnError", "NoExecute", "NotIn"),
    *("IndexSet",),  # a class
    # Words of the kubelet that status never shows: it tells of them by another.
    *("DeadlineExceeded", "ErrImageNeverPull", "ErrImagePull"),
    "OutOf",  # the beginning of several reasons
}


def words_that_may_be_reasons() -> set[str]:
    """All words with several capitals that `core` writes out, and what it passes as `reason`."""
    found: set[str] = set()
    for file in (REPOSITORY / "operator" / "podwright" / "core").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            value = node.value if isinstance(node, ast.keyword) and node.arg == "reason" else None
            if isinstance(value, ast.Constant) and value.value:
                found.add(str(value.value))
            elif isinstance(node, ast.Constant) and re.fullmatch(r"([A-Z]+[a-z]+){2,}", str(node.value)):
                found.add(str(node.value))
    return found


def test_every_reason_that_the_code_writes_out_is_listed() -> None:
    """A new word in `core` is a reason and belongs into the list of reasons, or it is none and belongs into the list above."""
    unlisted = {word for word in words_that_may_be_reasons() - NO_REASONS - set(Phase) if Reason.known(word) is None}
    assert unlisted == set()


def test_every_phase_outcome_and_condition_is_explained() -> None:
    page = text_of("explanation/job-lifecycle.md")
    conditions = {
        condition.type
        for phase in Phase
        for condition in run_conditions(previous=(), phase=phase, reason="", message="", generation=1, now=0.0)
    }
    assert [phase for phase in Phase if f"\n| {phase} | " not in page] == []
    assert [name for name in sorted({*Outcome, *conditions}) if f"`{name}`" not in page] == []
