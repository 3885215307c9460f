"""What counts as a regression, what is not compared, and the checked-in file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
import pytest

from tests.bench import report, tables, thresholds
from tests.bench.errors import BenchError
from tests.bench.goals import GOALS
from tests.bench.result import Machine, Measure, Parameters, Result, RunFacts
from tests.bench.thresholds import Limit, Run, Thresholds, Verdict

if TYPE_CHECKING:
    from pathlib import Path

MACHINE = Machine(processor="fast", cores=2, memory_gib=8, system="Linux 6.1", python="3.11.7")
FACTS = RunFacts(date="2026-01-01", commit="abc", machine=MACHINE)
RUN = Run(facts=FACTS, parameters=Parameters())


def make_result(
    *, value: float | None = 100.0, parameters: Parameters = RUN.parameters, machine: Machine = MACHINE
) -> Result:
    metrics = {} if value is None else {"speed": Measure(median=value, low=value, high=value)}
    return Result(
        facts=msgspec.structs.replace(FACTS, machine=machine, commit="def"),
        parameters=parameters,
        notes=["a note"],
        rounds=[],
        throughput=None,
        memory=None,
        metrics=metrics,
    )


def make_thresholds(*, better: Literal["higher", "lower"] = "higher", machine_bound: bool = False) -> Thresholds:
    limit = Limit(metric="speed", better=better, measured=100, margin=20, machine_bound=machine_bound, run="first")
    return Thresholds(runs={"first": RUN}, limits=[limit])


@pytest.mark.parametrize(
    ("better", "value", "verdict"),
    [
        ("higher", 100.0, Verdict.HELD),
        ("higher", 80.0, Verdict.HELD),
        ("higher", 79.9, Verdict.WORSE),
        ("higher", 500.0, Verdict.HELD),
        ("lower", 120.0, Verdict.HELD),
        ("lower", 120.1, Verdict.WORSE),
        ("lower", 1.0, Verdict.HELD),
    ],
)
def test_worse_by_more_than_the_margin(better: Literal["higher", "lower"], value: float, verdict: Verdict) -> None:
    (compared,) = thresholds.compare(make_thresholds(better=better), make_result(value=value))
    assert compared.verdict is verdict


def test_what_was_not_measured_is_not_compared() -> None:
    (compared,) = thresholds.compare(make_thresholds(), make_result(value=None))
    assert compared.verdict is Verdict.NOT_COMPARED
    assert compared.why == "not measured"


def test_a_run_of_other_sizes_is_not_compared() -> None:
    (compared,) = thresholds.compare(make_thresholds(), make_result(value=1, parameters=Parameters(jobs=3)))
    assert compared.verdict is Verdict.NOT_COMPARED
    # How often it is repeated changes the noise only.
    (compared,) = thresholds.compare(make_thresholds(), make_result(value=1, parameters=Parameters(rounds=1)))
    assert compared.verdict is Verdict.WORSE


def test_absolute_values_are_compared_on_a_like_machine_only() -> None:
    slow = msgspec.structs.replace(MACHINE, processor="slow")
    like = msgspec.structs.replace(MACHINE, memory_gib=9, python="3.12.1")
    result = make_result(value=1, machine=slow)
    assert thresholds.compare(make_thresholds(machine_bound=True), result)[0].verdict is Verdict.NOT_COMPARED
    assert thresholds.compare(make_thresholds(), result)[0].verdict is Verdict.WORSE
    result = make_result(value=1, machine=like)
    assert thresholds.compare(make_thresholds(machine_bound=True), result)[0].verdict is Verdict.WORSE


def test_accepting_a_run_writes_its_values_and_drops_runs_that_nothing_refers_to(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.yaml"
    thresholds.accept(make_thresholds(), make_result(value=123.456), path)
    found = thresholds.load(path)
    assert [(limit.measured, limit.margin, limit.run) for limit in found.limits] == [(123, 20, "2026-01-01 def")]
    assert set(found.runs) == {"2026-01-01 def"}
    thresholds.accept(found, make_result(value=None), path)
    assert thresholds.load(path) == found


def test_accepting_a_run_leaves_what_was_promised(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.yaml"
    promises = make_thresholds()
    limits = [msgspec.structs.replace(limit, promised=True) for limit in promises.limits]
    promises = msgspec.structs.replace(promises, limits=limits)
    thresholds.accept(promises, make_result(value=123.456), path)
    assert thresholds.load(path) == promises


def test_a_file_that_names_no_known_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.yaml"
    path.write_text("runs: {}\nlimits: [{metric: a, better: lower, measured: 1, margin: 1, run: nowhere}]\n")
    with pytest.raises(BenchError, match="nowhere"):
        thresholds.load(path)
    path.write_text("limits: 1\n")
    with pytest.raises(BenchError, match="can't be understood"):
        thresholds.load(path)


def test_the_checked_in_result_can_still_be_read() -> None:
    found = msgspec.json.decode(report.DATA.read_bytes(), type=Result)
    assert found.metrics
    assert "## Goals" in report.page(found)


def test_the_checked_in_file_has_no_metric_twice() -> None:
    metrics = [limit.metric for limit in thresholds.load().limits]
    assert len(metrics) == len(set(metrics))


@pytest.mark.parametrize(("value", "met"), [(1.39, False), (1.4, True), (None, None)])
def test_a_goal_is_met_or_missed_or_not_measured(value: float | None, met: bool | None) -> None:
    goal = GOALS[0]
    assert goal.at_least == 1.4
    measured = {} if value is None else {goal.metric: Measure(median=value, low=value, high=value)}
    assert goal.met(measured) is met


def test_the_report_hides_no_miss() -> None:
    missed = Measure(median=9999, low=1, high=99999)
    result = msgspec.structs.replace(make_result(), metrics={goal.metric: missed for goal in GOALS if goal.at_most})
    comparisons = thresholds.compare(make_thresholds(), make_result(value=1))
    text = tables.markdown(report.tables(result, comparisons))
    assert text.count("NOT MET") == sum(goal.at_most is not None for goal in GOALS)
    assert "WORSE" in text
    assert "10000 active jobs" in text
    assert "a note" in report.page(result)
