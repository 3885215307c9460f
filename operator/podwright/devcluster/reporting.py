"""How the development cluster shows its progress to a person.

The command line passes a reporter that draws; tests pass `SilentReporter`. Called from several threads at once,
so an implementation must be safe for that. A reporter must never raise.
"""

from __future__ import annotations

from typing import Protocol, TextIO


class Reporter(Protocol):
    """Receives progress. All durations are seconds since the step began."""

    def step_started(self, step: str, *, position: int, total: int) -> None:
        """`step` began; it is number `position` (from 1) of `total` in its group of steps."""

    def step_progress(self, step: str, *, elapsed: float, detail: str) -> None:
        """`step` is still going on; called about once a second."""

    def step_finished(self, step: str, *, elapsed: float) -> None:
        """`step` ended well. A step that fails ends with an exception instead."""

    def note(self, message: str) -> None:
        """Something that the user should know, for example that pods are simulated."""


class SilentReporter:
    """Says nothing."""

    def step_started(self, step: str, *, position: int, total: int) -> None:
        """Ignored."""

    def step_progress(self, step: str, *, elapsed: float, detail: str) -> None:
        """Ignored."""

    def step_finished(self, step: str, *, elapsed: float) -> None:
        """Ignored."""

    def note(self, message: str) -> None:
        """Ignored."""


class LineReporter:
    """Writes a line per event to a text stream; progress at most every `progress_interval` seconds. For logs and CI."""

    def __init__(self, stream: TextIO, *, progress_interval: float = 15.0) -> None:
        self._stream = stream
        self._progress_interval = progress_interval
        self._last_progress: dict[str, float] = {}

    def step_started(self, step: str, *, position: int, total: int) -> None:
        """Write which step of how many begins."""
        self._write(f"[{position}/{total}] {step} …")

    def step_progress(self, step: str, *, elapsed: float, detail: str) -> None:
        """Write what the step is at, unless it said so a moment ago."""
        if elapsed - self._last_progress.get(step, 0.0) >= self._progress_interval:
            self._last_progress[step] = elapsed
            self._write(f"      {step}: {elapsed:.0f} s, {detail}")

    def step_finished(self, step: str, *, elapsed: float) -> None:
        """Write how long it took."""
        self._write(f"      {step}: done in {elapsed:.1f} s")

    def note(self, message: str) -> None:
        """Write the note."""
        self._write(f"note: {message}")

    def _write(self, line: str) -> None:
        print(line, file=self._stream, flush=True)
