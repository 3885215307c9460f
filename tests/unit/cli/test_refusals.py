from __future__ import annotations

import pytest

from podwright.cli.refusals import explain, unknown_job
from podwright.kube.errors import Cause, StatusError


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (StatusError(code=401, reason="Unauthorized", message="Unauthorized"), ("credentials", "Log in again")),
        (
            StatusError(code=403, reason="Forbidden", message='User "x" cannot list resource "batchjobs"'),
            ('User "x" cannot list', "role view"),
        ),
        (StatusError(code=403, reason="Forbidden", message="podwright: exceeded quota"), ("exceeded quota",)),
        (StatusError(code=404, reason="", message="404 page not found"), ("not installed", "kubectl apply")),
        (StatusError(code=404, reason="NotFound", message='namespaces "n" not found'), ("no namespace n",)),
        (
            StatusError(
                code=422, reason="Invalid", message="long", causes=(Cause(field="spec.x", message="must be\x1b[2J 1"),)
            ),
            ("spec.x: must be 1",),
        ),
        (StatusError(code=503, reason="", message="overloaded"), ("in trouble", "Try again later")),
        (StatusError(code=400, reason="BadRequest", message="unable to parse"), ("unable to parse.",)),
    ],
    ids=lambda value: str(value.code) if isinstance(value, StatusError) else "",
)
def test_refusals_say_what_to_do(error: StatusError, parts: tuple[str, ...]) -> None:
    told = explain(error, doing="list jobs", namespace="n")
    assert told.problem.startswith("Cannot list jobs")
    for part in parts:
        assert part in str(told)
    assert "\x1b" not in str(told)


def test_a_field_that_matches_no_pattern_is_told_once_and_in_words() -> None:
    pattern = "Invalid value: \"10x\": spec.timeout in body should match '^([0-9]+(h|m|s))+$'"
    words = 'Invalid value: "10x": must be a duration such as 90s, 10m or 1h30m'
    causes = (
        Cause(field="spec.timeout", message=pattern),
        Cause(field="spec.timeout", message=words),
        Cause(field="spec.key", message="Invalid value: in body should match '^x$'"),
    )
    told = explain(StatusError(code=422, reason="Invalid", message="long", causes=causes), doing="create x")
    assert told.problem.splitlines()[1:] == [
        f"  spec.timeout: {words}",
        "  spec.key: Invalid value: in body should match '^x$'",
    ]


@pytest.mark.parametrize(
    ("others", "advice"),
    [
        ([], "which has no jobs at all"),
        (["report", "reports", "x"], "Did you mean report or reports?"),
        (["zzz"], "`podwright list -n n` shows"),
    ],
)
def test_an_unknown_name(others: list[str], advice: str) -> None:
    assert advice in str(unknown_job("reprt", namespace="n", others=others))
