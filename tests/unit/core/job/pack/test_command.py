"""How a job's command is cut up for the runner of packs, and what can't be packed."""

from typing import Any

import pytest

from podwright.core.job.pack.command import packed, split
from podwright.core.job.pack.problem import pack_problem
from podwright.core.job.pack.runner import RUNNER
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet

CHANGING = {"I", "LONG"}


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", [("", "")]),
        ("a$(I)b", [("a", "I"), ("b", "")]),
        ("$(I)$(LONG)", [("", "I"), ("", "LONG"), ("", "")]),
        ("$(OTHER)$(I)", [("$(OTHER)", "I"), ("", "")]),
        ("$$(I)", [("$$(I)", "")]),
        ("$$$(I)", [("$$", "I"), ("", "")]),
        ("$x$(I)", [("$x", "I"), ("", "")]),
        ("$(I", [("$(I", "")]),
        ("$($(I)", [("$($(I)", "")]),  # the kubelet reads a variable named "$(I"
        ("$", [("$", "")]),
    ],
)
def test_references_are_found_as_the_kubelet_finds_them(text: str, want: list[tuple[str, str]]) -> None:
    assert list(split(text, CHANGING)) == want


def test_the_runner_is_sent_without_remarks() -> None:
    assert len(RUNNER) < 8000
    assert " # " not in RUNNER
    assert not any(line.startswith(("#", " ")) or not line for line in RUNNER.splitlines())


def test_what_the_container_is_given() -> None:
    container: dict[str, Any] = {"name": "main", "image": "i", "command": ["run", "$(PODWRIGHT_TASK_INDEX)"]}
    made = packed(
        container,
        tasks=IndexSet.parse("0-3,7"),
        work="u",
        items=(),
        parallelism=8,
        limit=1.5,
        containers=5,
        grace=2,
    )
    assert made["command"][:2] == ["sh", "-c"]
    assert made["command"][2].startswith("_pw_total=5 _pw_slots=5 _pw_limit=2 _pw_grace=2 ")
    assert "_pw_room=2456 " in made["command"][2]
    assert made["args"] == ["/dev/termination-log", "u/", "run", "0-3", "7"]
    assert container["command"] == ["run", "$(PODWRIGHT_TASK_INDEX)"]


def problem(container: dict[str, Any], *, items: tuple[str, ...] = (), pack: int = 10) -> str:
    array = ArraySpec(size=len(items) or 5, tasks=IndexSet.up_to(5), items=items, pack=pack)
    return pack_problem(spec={"containers": [container]}, array=array)


def test_what_cannot_be_packed() -> None:
    assert problem({"command": ["a"], "env": [{"name": "A_1", "value": ""}]}) == ""
    assert problem({"args": ["a"]}).startswith("packed arrays need command in the first container")
    assert "'a.b'" in problem({"command": ["a"], "env": [{"name": "a.b"}]})
    long = tuple("ü" * 2000 + str(number) for number in range(1000))
    assert "make spec.array.pack smaller" in problem({"command": ["a"]}, items=long, pack=300)
    assert problem({"command": ["a"]}, items=long, pack=200) == ""
