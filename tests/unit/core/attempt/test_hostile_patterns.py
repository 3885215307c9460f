"""Expressions that somebody wrote to keep the operator busy: what one verdict can cost."""

import random
import time

import pytest

from podwright.core.attempt.failure_policy import Evidence, rule_on, rules_problem
from podwright.core.attempt.message_pattern import PROGRAM_LIMIT, PatternError, found, matched_line, program_size
from podwright.core.spec import FailureAction, FailureRule

_RANDOM = random.Random(1)
TEXTS = {
    "two letters": "ab" * 2048,
    "at random": "".join(_RANDOM.choice("ab") for _ in range(4096)),
    "any letters": "".join(chr(_RANDOM.randrange(0x20, 0x3000)) for _ in range(4096)),
    "line ends": "\n" * 4096,
}
ACCEPTED = {
    "nested repetition": "(?:[ab]{0,10}){0,14}c",
    "unanchored guess": "[ab]*a[ab]{100}c",
    "guess in a group": "(a|b)*a(a|b){120}c",
    "folded case": "(?i)[a-z]*a[a-z]{40}1",
    "many maybe": "(?:a?){90}a{90}c",
    "any characters": "(?s).*a.{20}c$",
}
REFUSED = {
    "S5 as it was seen": "(?:[ab]{0,40}){0,20}c",
    "large classes": r"\pL*a\pL{20}1",
    "large repetition": "(?:abc){300}",
}


def rule(pattern: str) -> FailureRule:
    """Build a rule on the message."""
    return FailureRule(action=FailureAction.FAIL, message=pattern)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("pattern", [pytest.param(pattern, id=f"S5 {name}") for name, pattern in ACCEPTED.items()])
def test_what_is_accepted_costs_little(pattern: str, text: str) -> None:
    assert program_size(pattern) <= PROGRAM_LIMIT
    evidence = Evidence(message=text)
    rule_on(rules=(rule(pattern),), evidence=evidence)
    times = []
    for _ in range(5):
        began = time.process_time()
        rule_on(rules=(rule(pattern),), evidence=evidence)
        times.append(time.process_time() - began)
    assert min(times) < 0.008, "twice what was measured on a busy machine"


@pytest.mark.parametrize("pattern", [pytest.param(pattern, id=name) for name, pattern in REFUSED.items()])
def test_what_would_cost_more_is_refused(pattern: str) -> None:
    assert "onMessage" in rules_problem([rule(pattern)])


def test_s5_many_small_expressions_are_one_large_one() -> None:
    assert rules_problem([rule("[ab]*a[ab]{10}c")] * 5) == ""
    assert "all expressions of a job together" in rules_problem([rule("[ab]*a[ab]{100}c")] * 3)


def test_s5_twenty_ordinary_expressions_are_accepted() -> None:
    words = ["out of memory", "disk full", "too many connections", "timed out", "no such host"] * 2
    assert rules_problem([rule(word) for word in words]) == ""


@pytest.mark.parametrize("pattern", ["(" * 200, "a{1001}", "((a{100}){100}){100}", "[" * 256, r"a\1"])
def test_s5_what_cannot_be_compiled_is_refused_at_once(pattern: str) -> None:
    began = time.process_time()
    with pytest.raises(PatternError):
        program_size(pattern)
    assert time.process_time() - began < 0.05
    assert not found(pattern=pattern, text="a" * 4096)


def test_the_line_of_a_match() -> None:
    assert matched_line(pattern="b+", text="first\na bb c\nlast") == "a bb c"
    assert matched_line(pattern="x", text="first") == ""
    assert matched_line(pattern="first", text="first\n" + "x" * 2048) == "", "only the end is searched"
