"""Children by owner and their roll-ups stay right whatever comes, changes and goes; what a full list lacks is gone."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.store.full_list import vanished
from podwright.store.owner_index import CountedIndex, OwnerIndex, RollUp


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """A child."""

    uid: str
    name: str = ""
    state: str = "New"
    namespace: str = "default"
    resource_version: int = 1


def test_an_owner_is_told_counts_and_what_changed_since_it_last_asked() -> None:
    index = CountedIndex[Thing](state_of=lambda child: child.state)
    index.put("owner", Thing(uid="1", name="a"))
    index.put("owner", Thing(uid="2", name="b"))
    assert index.roll_up("owner") == RollUp(counts={"New": 2}, changed=frozenset("ab"))
    index.put("owner", Thing(uid="2", name="b", state="Done"))
    assert index.roll_up("owner") == RollUp(counts={"New": 1, "Done": 1}, changed=frozenset("b"))
    index.drop("1")
    assert index.roll_up("owner") == RollUp(counts={"Done": 1}, changed=frozenset("a"))
    assert index.roll_up("another") == RollUp(counts={}, changed=frozenset())


@pytest.mark.parametrize(
    "index",
    [
        pytest.param(OwnerIndex[Thing](), id="without roll-ups"),
        pytest.param(CountedIndex[Thing](state_of=lambda child: child.state), id="with roll-ups"),
    ],
)
def test_whose_a_child_is_takes_no_search(index: OwnerIndex[Thing]) -> None:
    child = Thing(uid="1", name="a")
    index.put("owner", child)
    assert (index.owner_of("1"), index.child("1"), dict(index.of("owner")), len(index)) == (
        "owner",
        child,
        {"1": child},
        1,
    )
    index.drop("1")
    assert (index.owner_of("1"), index.child("1"), dict(index.of("owner")), len(index)) == (None, None, {}, 0)
    assert not index.by_owner


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["New", "Done", "drop"]))))
def test_counts_are_those_of_the_children_after_any_events(events: list[tuple[str, str]]) -> None:
    index = CountedIndex[Thing](state_of=lambda child: child.state)
    changed: dict[str, set[str]] = {"0": set(), "1": set()}
    for uid, state in events:
        owner = str(ord(uid) % 2)
        if state != "drop":
            index.put(owner, Thing(uid=uid, name=uid, state=state))
        elif index.owner_of(uid):
            index.drop(uid)
        else:
            continue
        changed[owner].add(uid)
    for owner in "01":
        counts = Counter(child.state for child in index.of(owner).values())
        assert index.roll_up(owner) == RollUp(counts=counts, changed=frozenset(changed[owner]))
        for uid in list(index.of(owner)):
            index.drop(uid)
        index.forget(owner)
    assert (len(index), index._counts, index._changed) == (0, {}, {})


@pytest.mark.parametrize(
    ("known", "is_gone"),
    [
        pytest.param(Thing(uid="1", resource_version=5), True, id="as old as the list"),
        pytest.param(Thing(uid="1", resource_version=6), False, id="newer than the list"),
        pytest.param(Thing(uid="1", namespace="other"), False, id="not in the namespace that was listed"),
        pytest.param(Thing(uid="listed"), False, id="listed"),
    ],
)
def test_what_a_full_list_lacks_is_gone(known: Thing, is_gone: bool) -> None:
    found = vanished([known], listed={"listed"}, list_version=5, namespace="default")
    assert list(found) == ([known] if is_gone else [])
