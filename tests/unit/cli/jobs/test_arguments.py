from __future__ import annotations

from typing import Any

import pytest

from podwright.cli.errors import CommandError
from podwright.cli.jobs import arguments


def test_variables() -> None:
    found = arguments.variables(["A=b=c", "HOME", "EMPTY="], environment={"HOME": "/root"})
    assert found == [{"name": "A", "value": "b=c"}, {"name": "HOME", "value": "/root"}, {"name": "EMPTY", "value": ""}]


@pytest.mark.parametrize("value", ["=x", "", "MISSING"])
def test_what_is_no_variable(value: str) -> None:
    with pytest.raises(CommandError, match="--env"):
        arguments.variables([value], environment={})


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a", ["a"]),
        ("a,b,c", ["a", "b", "c"]),
        pytest.param("a,b,a", ["a", "b", "a"], id="U20 an item may come twice"),
        (r"a\,b,c", ["a,b", "c"]),
        (r"C:\dir,x", [r"C:\dir", "x"]),
        ("a\\", ["a\\"]),
    ],
)
def test_items(text: str, items: list[str]) -> None:
    assert arguments.items(text) == items


@pytest.mark.parametrize("text", ["", "a,,b", "a,"])
def test_what_are_no_items(text: str) -> None:
    with pytest.raises(CommandError, match="--items"):
        arguments.items(text)


@pytest.mark.parametrize(
    ("text", "dependency"),
    [
        ("load", {"name": "load"}),
        ("load:Started", {"name": "load", "condition": "Started"}),
        ("load:finished", {"name": "load", "condition": "Finished"}),
    ],
)
def test_dependency(text: str, dependency: dict[str, Any]) -> None:
    assert arguments.dependency(text) == dependency


@pytest.mark.parametrize("text", ["", ":Failed", "load:", "load:done"])
def test_what_is_no_dependency(text: str) -> None:
    with pytest.raises(CommandError, match="--depends-on"):
        arguments.dependency(text)


@pytest.mark.parametrize("text", ["a", "=b"])
def test_what_is_no_pair(text: str) -> None:
    with pytest.raises(CommandError, match="KEY=VALUE"):
        arguments.pairs([text], option="--label")
