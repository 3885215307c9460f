from __future__ import annotations

import pytest

from podwright.core.job.work import tokens_before, work_uid

UID = "0b5a3c1e-6f0e-4f2a-9d0f-3c1f7f1d2b11"
WORK, TOKENS = "podwright.dev/work-of", "podwright.dev/tokens-before"


@pytest.mark.parametrize(
    ("text", "uid"),
    [
        (UID, UID),
        ("A-1", "A-1"),
        ("a" * 63, "a" * 63),
        ("a" * 64, ""),
        ("", ""),
        ("a/0", ""),
        ("$(HOME)", ""),
        ("a b", ""),
        ("a\n", ""),
        ("ä", ""),
    ],
)
def test_only_what_may_be_a_uid_is_taken(text: str, uid: str) -> None:
    assert work_uid({WORK: text}) == uid


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("4", 4), ("0", 0), ("9" * 15, 10**15 - 1), ("9" * 16, 0), ("", 0), ("-1", 0), ("1.5", 0), ("x", 0), ("٣", 0)],
)
def test_only_a_number_of_tokens_is_taken(text: str, tokens: int) -> None:
    assert tokens_before({WORK: UID, TOKENS: text}) == tokens
    assert tokens_before({TOKENS: text}) == 0


@pytest.mark.parametrize("annotations", [None, {}, {"podwright.dev/redrive-of": UID}])
def test_a_job_does_its_own_work_unless_told(annotations: dict[str, str] | None) -> None:
    assert (work_uid(annotations), tokens_before(annotations)) == ("", 0)
