"""Whose status is told next, and how much of that a busy API server gets."""

from podwright.core.values.ref import Ref
from podwright.runtime.status_updates import PATIENCE, PendingUpdates


def _waiting(count: int, *, now: float) -> PendingUpdates:
    updates = PendingUpdates()
    for number in range(count):
        updates.add(Ref("BatchJob", f"uid-{number}"), now=now)
    return updates


def test_as_many_are_granted_as_there_are_places_for() -> None:
    updates = _waiting(10, now=0.0)
    granted = list(updates.grant(4, now=1.0))
    assert [ref.uid for ref in granted] == ["uid-0", "uid-1", "uid-2", "uid-3"]
    assert list(updates.grant(4, now=1.0)) == [], "no place is free before a granted one is taken"
    assert updates.take_grant(granted[0])
    assert len(list(updates.grant(4, now=1.0))) == 1


def test_nobody_is_granted_without_places_until_patience_ends() -> None:
    updates = _waiting(3, now=0.0)
    assert list(updates.grant(0, now=PATIENCE - 0.1)) == []
    assert len(list(updates.grant(0, now=PATIENCE))) == 1


def test_what_waited_too_long_is_told_ten_times_a_second_at_most() -> None:
    updates = _waiting(2000, now=0.0)
    told = 0
    for tick in range(1000):  # ten seconds of an API server that is busy all the time
        for ref in updates.grant(0, now=PATIENCE + tick / 100):
            told += updates.take_grant(ref)
    assert 90 <= told <= 101
