from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from podwright.cli.dead_letters.redriving import Redrive, loop_guard, merged, read_patch
from podwright.cli.errors import CommandError
from tests.unit.cli.jobs.objects import make_job

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("value", "patch", "result"),
    [  # the examples of RFC 7396, appendix A, that are objects
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": "foo"}, {"b": {"c": None}}, {"a": "foo", "b": {}}),
        (["a"], {"b": 1}, {"b": 1}),
    ],
)
def test_merged(value: Any, patch: Any, result: Any) -> None:
    assert merged(value, patch) == result


def test_a_patch_comes_from_the_command_line_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "patch.json"
    file.write_text('{"priority": 1}')
    assert read_patch("") is None
    assert read_patch('{"priority": 1}') == read_patch(f"@{file}") == {"priority": 1}


@pytest.mark.parametrize("text", ["{", "[]", "1", "@/missing", '{"spec": {"priority": 1}}'])
def test_what_is_no_patch(text: str) -> None:
    with pytest.raises(CommandError, match="--patch"):
        read_patch(text)


@pytest.mark.parametrize(
    ("count", "force", "held"), [("", False, False), ("4", False, False), ("5", False, True), ("9", True, False)]
)
def test_loop_guard(count: str, force: bool, held: bool) -> None:
    job = make_job(meta={"annotations": {"podwright.dev/redrive-count": count}})
    assert bool(loop_guard(job, force=force)) is held


@pytest.mark.parametrize(
    ("recorded", "tasks"),
    [
        ({"succeededIndexes": "0-1", "failedIndexes": "2", "skippedIndexes": "3-4"}, "2"),
        ({"succeededIndexes": "0-1", "skippedIndexes": "2-4"}, "2-4"),
    ],
)
def test_what_succeeded_does_not_run_again(recorded: dict[str, str], tasks: str) -> None:
    plan = Redrive(patch=None, all_tasks=False, force=False, again=False, gap=0)
    assert str(plan.tasks(make_job(array={"size": 5}, status={"array": recorded}))) == tasks
