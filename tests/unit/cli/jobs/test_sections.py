from __future__ import annotations

import pytest

from podwright.cli.jobs.sections import Section

LOG = b"""before
[podwright] task 16 started
sixteen
[podwright] task 16 exit 0 after 1s
[podwright] task 17 started
seventeen
[podwright] task 171 is not a mark
[podwright] task 17 exit 3 after 2s
[podwright] task 18 started
eighteen""".split(b"\n")


@pytest.mark.parametrize(
    ("task", "kept", "over"),
    [(16, slice(1, 4), True), (17, slice(4, 8), True), (18, slice(8, 10), False), (1, slice(0, 0), False)],
)
def test_only_the_lines_of_a_task_are_kept(task: int, kept: slice, over: bool) -> None:
    section = Section(task)
    assert [line for line in LOG if section.keeps(line)] == LOG[kept]
    assert section.over is over
    assert section.mixed is False


@pytest.mark.parametrize("end", ["exit 0 after 1s", "timed out after 60s", "stopped"])
def test_a_task_ends_in_several_ways(end: str) -> None:
    section = Section(1)
    lines = [b"[podwright] task 1 started", b"words", f"[podwright] task 1 {end}".encode(), b"after"]
    assert [line for line in lines if section.keeps(line)] == lines[:3]
    assert section.over


def test_tasks_side_by_side_are_told() -> None:
    section = Section(1)
    lines = [
        b"[podwright] task 1 started",
        b"[podwright] task 2 started",
        b"whose?",
        b"[podwright] task 1 exit 0 after 1s",
    ]
    assert [line for line in lines if section.keeps(line)] == [lines[0], lines[2], lines[3]]
    assert section.mixed
