from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from tests.unit.cli.lint.test_job import job, template
from tests.unit.cli.program import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/does/not/exist")


def test_lint_reads_files_and_directories_without_a_cluster(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(yaml.safe_dump(job()))
    (tmp_path / "other.yml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    (tmp_path / "notes.txt").write_text("{")
    answer = run("lint", str(tmp_path))
    assert (answer.returncode, answer.stdout) == (0, "1 job checked, no problems found.\n")
    assert answer.stderr == "1 object of other kinds not checked.\n"
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(job(template=template(comand=["a"]))))
    answer = run("lint", str(tmp_path))
    assert answer.returncode == 1
    assert "bad.yaml: BatchJob/report: spec.template.spec.containers[0].comand: unknown field" in answer.stdout
    assert "1 of 2 jobs has problems." in answer.stderr


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [", "is not valid YAML: line 1, column 5: while parsing a flow node, "),
        ("a: b: c", "is not valid YAML: line 1, column 5: mapping values are not allowed here.\n"),
        ("a: \x00", "is not valid YAML: special characters are not allowed.\n"),
        ("", "There is no BatchJob"),
        ("[" * 3000, "nested too deeply"),
    ],
    ids=["not closed", "two colons", "a null character", "empty", "L11 deep"],
)
def test_what_is_no_manifest(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    answer = run("lint", str(file))
    assert answer.returncode == 1
    assert complaint in answer.stderr
    assert "Traceback" not in answer.stderr


def test_files_that_cannot_be_read_do_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(job(template=template(comand=["a"]))))
    (tmp_path / "d.yaml").write_text(yaml.safe_dump(job()))
    answer = run("lint", str(tmp_path), "/does/not/exist.yaml")
    assert answer.returncode == 1
    assert "c.yaml: BatchJob/report: spec.template.spec.containers[0].comand: unknown field" in answer.stdout
    for complaint in ("a.yaml is not valid YAML", "b.yaml: it is not UTF-8", "Cannot read /does/not/exist.yaml"):
        assert complaint in answer.stderr
    assert answer.stderr.endswith("1 of 2 jobs has problems.\n3 files could not be read.\n")
    submitted = run("submit", "--filename", str(tmp_path), "--dry-run")
    assert (submitted.returncode, submitted.stdout) == (1, "")
    for complaint in (
        "a.yaml is not valid YAML",
        "b.yaml: it is not UTF-8",
        "Nothing was submitted, for these 2 problems",
    ):
        assert complaint in submitted.stderr


def test_a_wrong_version_is_not_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(yaml.safe_dump({**job(), "apiVersion": "podwright.dev/v1"}))
    assert "podwright.dev/v1 BatchJob does not exist" in run("lint", str(file)).stdout


def test_u14_a_dry_run_needs_no_cluster() -> None:
    answer = run("submit", "x", "--image", "a", "--dry-run", "-o", "yaml")
    assert answer.returncode == 0
    made = yaml.safe_load(answer.stdout)
    assert made["metadata"] == {"name": "x"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(
            ("submit", "x", "--image", "a", "--wait-timeout", "5s"), "no effect without --wait", id="U10 submit"
        ),
        pytest.param(("cancel", "x", "--timeout", "5s"), "no effect without --wait", id="U10 cancel"),
        pytest.param(
            ("submit", "x", "--image", "a", "--memory", "1gb"), "--memory: invalid quantity '1gb'", id="U15 quantity"
        ),
        pytest.param(
            ("submit", "-f", "/nowhere.yaml", "--dry-run"),
            "Cannot read /nowhere.yaml: No such file or directory.",
            id="U21",
        ),
        pytest.param(("submit", "-f", "a", "x"), "--filename can't be combined with NAME or --image", id="words"),
        pytest.param(("submit", "x", "--image", "a", "--volume", "pvc:/x"), "SOURCE:PATH", id="volume"),
        pytest.param(
            ("submit", "x", "--image", "a", "--env-from", "x/y"), "configmap/NAME or secret/NAME", id="env from"
        ),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(arguments: tuple[str, ...], complaint: str) -> None:
    answer = run(*arguments)
    assert answer.returncode == (1 if complaint.startswith("Cannot read") else 2)
    assert complaint in answer.stderr
