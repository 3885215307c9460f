"""What is believed of a pack's report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.attempt.termination_message import is_report
from podwright.core.job.pack.report import NOTHING, PackReport, parse_report
from podwright.core.values.index_set import EMPTY, IndexSet

TASKS = IndexSet.parse("0-9,20-29")
WHOLE = "podwright pack: started 14; succeeded 0-4,20; exit 3: 5,21-22; exit 137: 6; timed out: 7-8."


def parsed(text: str, *, tasks: IndexSet = TASKS) -> PackReport:
    return parse_report(text, tasks=tasks)


def indexes(text: str) -> IndexSet:
    return IndexSet.parse(text)


def test_a_whole_report() -> None:
    assert parsed(WHOLE) == PackReport(
        succeeded=indexes("0-4,20"),
        failed={3: indexes("5,21-22"), 137: indexes("6")},
        timed_out=indexes("7-8"),
        unstarted=indexes("24-29"),
    )
    assert parsed(WHOLE + "9; exit 4: 9.\n") == parsed(WHOLE)  # the end of a longer one that was there before
    assert parsed("podwright pack: started 2; no progress.") == PackReport(stalled=True, unstarted=indexes("2-9,20-29"))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("podwright pack: started 14; succeeded 0-4,2", "0-4", id="in an index"),
        pytest.param("podwright pack: started 14; succeeded 0-4,20;", "0-4,20", id="after a part"),
        pytest.param("podwright pack: started 14; succeeded 0-4", "", id="in the first range"),
        pytest.param("podwright pack: started 14; succeeded 0-4; exi", "0-4", id="in a word"),
    ],
)
def test_what_was_cut_off_is_not_guessed(text: str, want: str) -> None:
    report = parsed(text)
    assert (report.succeeded, report.unstarted) == (indexes(want), indexes("24-29") - indexes(want))
    assert parsed("podwright pack: started 1") == NOTHING


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0-4.",
        "podwright pack",
        "Podwright pack: succeeded 0-4.",
        "lines before\npodwright pack: succeeded 0-4.",
        "podwright pack: succeeded: 0-4.",
        "podwright pack: succeeded 4-0.",
        "podwright pack: succeeded 0-4;succeeded 5.",
        "podwright pack: succeeded 0-4; succeeded 5.",
        "podwright pack: succeeded 0-4; all is well.",
        "podwright pack: succeeded 00000000004.",
        "podwright pack: succeeded ٣.",
        "podwright pack: exit 0: 1.",
        "podwright pack: exit 256: 1.",
        "podwright pack: exit 03: 1.",
    ],
)
def test_what_no_runner_writes_says_nothing(text: str) -> None:
    assert parsed(text) == NOTHING


def test_tasks_of_other_pods_are_ignored() -> None:
    report = parsed("podwright pack: started 99; succeeded 0-9999999; exit 1: 15.")
    assert (report.succeeded, report.failed, report.unstarted) == (TASKS, {}, EMPTY)


def test_a_contradiction_makes_a_task_unknown() -> None:
    report = parsed("podwright pack: started 20; succeeded 0-9; exit 1: 4-5; timed out: 5-6.")
    assert (report.succeeded, report.failed, report.timed_out) == (indexes("0-3,7-9"), {}, EMPTY)


SETS = st.frozensets(st.integers(0, 9_999_999) | st.integers(0, 40), max_size=30).map(IndexSet.of)
PARTS = st.one_of(
    st.sampled_from(["succeeded ", "exit 1: ", "exit 137: ", "timed out: ", "started ", "no progress", ",", "-", "."]),
    st.builds("succeeded {}".format, SETS),
    st.builds("exit {}: {}".format, st.integers(-1, 300), SETS),
    st.builds("timed out: {}".format, SETS),
    st.builds("started {}".format, st.integers(-1, 10**8)),
    st.text(max_size=8),
)
TEXTS = st.one_of(
    st.text(max_size=50), st.builds("podwright pack: {}.".format, st.lists(PARTS, max_size=6).map("; ".join))
)


@given(text=TEXTS, tasks=SETS)
def test_whatever_the_text_is_no_other_task_is_named_and_none_twice(text: str, tasks: IndexSet) -> None:
    report = parsed(text, tasks=tasks)
    groups = [report.succeeded, *report.failed.values(), report.timed_out, report.unstarted]
    assert not any(group - tasks for group in groups)
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert all(1 <= code <= 255 for code in report.failed)


@given(
    ends=st.dictionaries(st.integers(0, 300), st.sampled_from(["succeeded", "exit 1:", "exit 42:", "timed out:"])),
    cut=st.integers(0, 400),
)
def test_a_cut_report_never_says_more_than_the_whole_one(ends: dict[int, str], cut: int) -> None:
    groups = {word: IndexSet.of(index for index, end in ends.items() if end == word) for word in ends.values()}
    text = "; ".join(["podwright pack: started 9", *(f"{word} {found}" for word, found in groups.items())]) + "."
    tasks = IndexSet.up_to(301)
    part, whole = parsed(text[:cut], tasks=tasks), parsed(text, tasks=tasks)
    assert whole.succeeded == groups.get("succeeded", EMPTY)
    assert not part.succeeded - whole.succeeded
    assert not part.timed_out - whole.timed_out
    for code, found in part.failed.items():
        assert not found - whole.failed[code]


def test_only_the_runners_messages_are_reports() -> None:
    assert is_report(WHOLE)
    assert not is_report("[podwright] task 3 started")
