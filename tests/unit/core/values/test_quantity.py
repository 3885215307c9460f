"""Kubernetes quantities as exact numbers."""

from fractions import Fraction

import pytest

from podwright.core.values.quantity import parse_quantity


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("0", 0),
        ("128974848", 128974848),
        ("1.5", Fraction(3, 2)),
        (".5", Fraction(1, 2)),
        ("1.", 1),
        ("500m", Fraction(1, 2)),
        ("100u", Fraction(1, 10_000)),
        ("1n", Fraction(1, 10**9)),
        ("129k", 129_000),
        ("2M", 2 * 10**6),
        ("2G", 2 * 10**9),
        ("2T", 2 * 10**12),
        ("2P", 2 * 10**15),
        ("2E", 2 * 10**18),
        ("1Ki", 1024),
        ("1.5Gi", 3 * 2**29),
        ("1Ei", 2**60),
        ("12e3", 12_000),
        ("1E3", 1000),
        ("5e-1", Fraction(1, 2)),
    ],
)
def test_quantity(text: str, want: Fraction | int) -> None:
    assert parse_quantity(text) == want


@pytest.mark.parametrize(
    "text", ["", "Gi", "1 Gi", "1KI", "1gi", "1e", "1e999", "--1", "1,5", "0x10", "\uff11", "1" * 40]
)
def test_malformed_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        parse_quantity(text)
