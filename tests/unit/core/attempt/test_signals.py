import signal

import pytest

from podwright.core.attempt.signals import SIGNALS, signal_name


@pytest.mark.parametrize(
    ("number", "exit_code", "want"),
    [
        (None, 0, ""),
        (None, 1, ""),
        (None, 127, ""),
        (None, 128, ""),
        (None, 129, "SIGHUP"),
        (None, 137, "SIGKILL"),
        (0, 143, "SIGTERM"),
        (11, 1, "SIGSEGV"),
        (None, 159, "SIGSYS"),
        (None, 160, ""),
        (None, 255, ""),
        (64, 1, ""),
        (-1, 1, ""),
    ],
)
def test_name(number: int | None, exit_code: int, want: str) -> None:
    assert signal_name(signal=number, exit_code=exit_code) == want


def test_the_numbers_are_those_of_this_kernel() -> None:
    known = {s.value: s.name for s in signal.Signals if s.value <= 31 and s.name in SIGNALS}
    assert len(known) > 25
    assert all(signal_name(signal=number, exit_code=0) == name for number, name in known.items())
