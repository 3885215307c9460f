"""How many writes may be under way at once: grown slowly while the API server copes, halved when it says or shows that it doesn't.

Additive increase, multiplicative decrease (Chiu and Jain, 1989), the rule of TCP. The writer asks; nobody else.
"""

from typing import Final

_SMOOTHING: Final = 0.1
_DRIFT: Final = 1.0001  # per answer: doubles in about 7,000, so that a burst does not take its own strain for the rule
_STRAIN: Final = 4.0
_ALWAYS_FINE: Final = 0.02  # seconds
_TOO_LONG: Final = 0.7  # seconds; renewals of the Lease take as long, and have little more than two
_FEWEST_WHEN_SLOW: Final = 8
_FIRST_PLACES: Final = 8.0
_UNPROVEN_PLACES: Final = (
    2  # until anything was answered; else many namespaces that hang would hold every place at once
)
_MOST_PLACES: Final = 1024.0
_SHARE_LEFT_TO_OTHERS: Final = 8  # an eighth
_LARGE: Final = 16_384  # bytes; requests up to this size cost the API server about the same
_BYTES_UNDER_WAY: Final = 524_288  # of one namespace's large requests
_SIZE_KEPT: Final = 0.95  # of the size that counts, after each answer: many small requests follow on one large one
_COOL_DOWN: Final = 1.0  # seconds in which one overload counts once, although many requests report it


class AdaptiveLimit:
    """A concurrency limit between `lowest` and `highest`, starting at `start`."""

    def __init__(self, *, start: int = 16, lowest: int = 2, highest: int = 64) -> None:
        self._lowest = lowest
        self._highest = highest
        self._limit = float(start)
        self._shrunk_at = float("-inf")

    @property
    def current(self) -> int:
        """Return how many requests may be under way now."""
        return int(self._limit)

    def succeeded(self) -> None:
        """Record an answered request: the limit grows by one per round of requests."""
        self._limit = min(float(self._highest), self._limit + 1.0 / self._limit)

    def overloaded(self, *, now: float) -> None:
        """Record a 429, a server error or a silence: the limit halves, at most once a second."""
        self._shrink(to=self._lowest, now=now)

    def strained(self, *, now: float) -> None:
        """Record that writes take too long: the limit halves, down to so few that others must be the reason.

        That many are under way at once makes none of them faster, but makes all others wait for as long, our Lease included.
        """
        self._shrink(to=max(self._lowest, _FEWEST_WHEN_SLOW), now=now)

    def _shrink(self, *, to: int, now: float) -> None:
        if now - self._shrunk_at >= _COOL_DOWN and self._limit > to:
            self._shrunk_at = now
            self._limit = max(float(to), self._limit / 2.0)


class NamespaceLimit:
    """How many writes of one namespace may be under way: halved by its own failures, grown again as its writes are answered.

    A part of all places is always left to others, or a namespace whose webhook hangs would hold every place until it answers.
    """

    def __init__(self) -> None:
        self._places = _FIRST_PLACES
        self._is_proven = False
        self._shrunk_at = float("-inf")
        self._size = 0.0

    @property
    def is_reduced(self) -> bool:
        """Return whether failures are remembered that have not been made up for."""
        return self._places < _FIRST_PLACES

    def places(self, *, of: int) -> int:
        """Return how many there are, when all namespaces together have `of`."""
        own = int(self._places) if self._is_proven else _UNPROVEN_PLACES
        if self._size > _LARGE:
            own = min(own, int(_BYTES_UNDER_WAY / self._size))
        return max(1, min(own, of - of // _SHARE_LEFT_TO_OTHERS))

    def sent(self, size: int) -> None:
        """Record the size of a request, in bytes: while its status updates are large, a namespace has few places.

        Each of 200 kB takes the API server as long as many small ones, which others wait for. What is large from the
        beginning has turns of its own (`pace`).
        """
        if size > _LARGE:
            self._size = max(self._size, float(size))

    def succeeded(self) -> None:
        """Record an answered request."""
        self._is_proven = True
        self._size *= _SIZE_KEPT
        self._places = min(_MOST_PLACES, self._places + 1.0)

    def failed(self, *, now: float) -> None:
        """Record a failure of the namespace's own: its limit halves, at most once a second."""
        if not self._is_proven:
            self._places, self._is_proven = float(_UNPROVEN_PLACES), True
        if now - self._shrunk_at >= _COOL_DOWN:
            self._shrunk_at = now
            self._places = max(1.0, self._places / 2.0)


class LatencyGauge:
    """How long the API server takes to answer, compared with what it takes when it has little to do.

    The measure of "little" is the shortest answer seen, which drifts up slowly, so that it fits a server that became slower.
    How long it takes at present is read off writes in which no webhook of a tenant's has a say. The shortest may be of any: where
    there is nothing but bursts, status writes alone never see the server at rest, and would take its strain for the rule.
    """

    def __init__(self) -> None:
        self._mean = 0.0
        self._floor = float("inf")

    def answered(self, seconds: float, *, admitted: bool) -> None:
        """Record how long a response took; `admitted`: policies and webhooks for pods had a say in it."""
        if not admitted:
            self._mean += _SMOOTHING * (seconds - self._mean)
        self._floor = min(seconds, self._floor * _DRIFT)

    def is_strained(self) -> bool:
        """Return whether answers take much longer than they could."""
        return self._mean > max(_ALWAYS_FINE, _STRAIN * self._floor)

    def is_too_long(self) -> bool:
        """Return whether they take so long that fewer writes should be under way; not at a server that is always so slow."""
        return self._mean > _TOO_LONG and self.is_strained()
