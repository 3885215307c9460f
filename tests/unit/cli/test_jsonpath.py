from __future__ import annotations

import pytest

from podwright.cli.errors import CommandError
from podwright.cli.jsonpath import evaluate

JOBS = {
    "items": [
        {"metadata": {"name": "a", "labels": {"a.b/c": "x"}}, "status": {"n": 1}},
        {"metadata": {"name": "b"}, "status": {"ok": True}},
    ]
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{.items[*].metadata.name}", "a b"),
        (".items[0].metadata.name", "a"),
        ("{.items[-1].metadata.name}", "b"),
        ("{.items[0:1].status}", '{"n": 1}'),
        ("{.items[0].metadata.labels['a.b/c']}", "x"),
        (r"{.items[0].metadata.labels.a\.b/c}", "x"),
        ('{range .items[*]}{.metadata.name}={.status.n}{"\\n"}{end}', "a=1\nb=\n"),
        ("n: {.items[1].status.ok}!", "n: true!"),
        ("{$.items[0].metadata.name}", "a"),
        ("{.nothing}", ""),
    ],
)
def test_what_it_finds(template: str, text: str) -> None:
    assert evaluate(template, JOBS) == text


@pytest.mark.parametrize("template", ["{.items[?(@.x)]}", "{range .items[*]}x", "{end}", "{.a", "{..name}"])
def test_what_it_refuses(template: str) -> None:
    with pytest.raises(CommandError, match="JSON path"):
        evaluate(template, JOBS)
