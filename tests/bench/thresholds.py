"""Compares a run with the checked-in one: `thresholds.yaml` says what was measured, where, and how much worse is too much."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from tests.bench.errors import BenchError
from tests.bench.result import Machine, Parameters, RunFacts

if TYPE_CHECKING:
    from tests.bench.result import Result

FILE: Final = Path(__file__).with_name("thresholds.yaml")
_HEADER: Final = """\
# What `make bench` must not fall behind. `measured` is the median of the named run, `margin` how much worse is accepted as
# noise, in percent. Ratios and counts hold on every machine; what has `machine_bound` is compared only on a machine like the
# run's. After a change for the better: python -m tests.bench --json FILE, then --accept FILE.
"""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One metric's former value and how far it may fall."""

    metric: str
    better: Literal["higher", "lower"]
    measured: float
    margin: float
    machine_bound: bool = False
    promised: bool = False
    """Whether this is a promise, not what was measured: a result that is accepted leaves it as it is."""
    run: str

    @property
    def bound(self) -> float:
        """The worst value that is accepted."""
        factor = 1 - self.margin / 100 if self.better == "higher" else 1 + self.margin / 100
        return self.measured * factor

    def holds(self, value: float) -> bool:
        """Whether a value is no worse than accepted."""
        return value >= self.bound if self.better == "higher" else value <= self.bound


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run that limits come from."""

    facts: RunFacts
    parameters: Parameters


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """The file."""

    runs: dict[str, Run]
    limits: list[Limit]


class Verdict(enum.StrEnum):
    """What the comparison of one metric gave."""

    HELD = "held"
    WORSE = "worse"
    NOT_COMPARED = "not compared"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One metric compared."""

    limit: Limit
    value: float | None
    verdict: Verdict
    why: str = ""


def load(path: Path = FILE) -> Thresholds:
    """Read the file. Raises BenchError if it can't be understood."""
    try:
        found = msgspec.yaml.decode(path.read_bytes(), type=Thresholds)
    except (OSError, msgspec.MsgspecError) as error:
        raise BenchError(f"{path} can't be understood: {error}") from error
    unknown = {limit.run for limit in found.limits} - found.runs.keys()
    if unknown:
        raise BenchError(f"{path}: no run is named {', '.join(sorted(unknown))}")
    return found


def compare(thresholds: Thresholds, result: Result) -> list[Comparison]:
    """Compare every limit with the run."""
    return [_compare(limit, thresholds.runs[limit.run], result) for limit in thresholds.limits]


def accept(thresholds: Thresholds, result: Result, path: Path = FILE) -> None:
    """Write the file anew with the run's values; what the run didn't measure stays as it is."""
    name = f"{result.facts.date} {result.facts.commit}"
    limits = [
        msgspec.structs.replace(limit, measured=_rounded(found.median), run=name)
        if (found := result.metrics.get(limit.metric)) is not None and not limit.promised
        else limit
        for limit in thresholds.limits
    ]
    runs = thresholds.runs | {name: Run(facts=result.facts, parameters=result.parameters)}
    used = {limit.run for limit in limits}
    kept = Thresholds(runs={key: run for key, run in runs.items() if key in used}, limits=limits)
    path.write_bytes(_HEADER.encode() + msgspec.yaml.encode(kept))


def _compare(limit: Limit, run: Run, result: Result) -> Comparison:
    found = result.metrics.get(limit.metric)
    value = None if found is None else found.median
    why = ""
    if value is None:
        why = "not measured"
    elif run.parameters.comparable() != result.parameters.comparable():
        why = "other sizes than in the run of the threshold"
    elif limit.machine_bound and not _alike(run.facts.machine, result.facts.machine):
        why = f"another machine: {run.facts.machine}"
    if value is None or why:
        return Comparison(limit=limit, value=value, verdict=Verdict.NOT_COMPARED, why=why)
    return Comparison(limit=limit, value=value, verdict=Verdict.HELD if limit.holds(value) else Verdict.WORSE)


def _alike(one: Machine, other: Machine) -> bool:
    return (one.processor, one.cores) == (other.processor, other.cores)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
