from __future__ import annotations

import math
from collections import Counter

import pytest

from tests.bench.tenants_part import longest


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param({}, None, id="no such metric"),
        pytest.param({0.1: 12, 0.2: 13, math.inf: 13}, 0.1, id="only short ones since"),
        pytest.param({0.1: 12, 0.2: 14, math.inf: 14}, 0.2, id="a longer one"),
        pytest.param({0.1: 12, 0.2: 13, math.inf: 14}, 0.4, id="one that is longer than all bounds"),
    ],
)
def test_the_longest_lag_of_a_histogram(after: dict[float, int], expected: float | None) -> None:
    before = Counter({0.1: 10, 0.2: 11, math.inf: 11}) if after else Counter[float]()
    assert longest(before, Counter(after)) == expected
