"""How pods of packs end, for tests that want every kind of end: with reports that are whole, cut short, missing or lies."""

from collections.abc import Iterable
from typing import Any

import msgspec
from hypothesis import strategies as st

from podwright.core.values.index_set import EMPTY, IndexSet

ALL_THERE_ARE = "0-99"


class PackEnd(msgspec.Struct, frozen=True, kw_only=True):
    """One end. `ran`, `succeeded` and `failed` are tasks: those that surely or maybe ran, and what the message says of some.

    `true` tells whether the message was written by the runner, and not by somebody who wants to mislead.
    """

    exit_code: int
    message: str
    ran: IndexSet
    succeeded: IndexSet = EMPTY
    failed: IndexSet = EMPTY
    true: bool = True


def report(results: Iterable[tuple[int, str]], *, started: int) -> str:
    """Write what the runner writes of tasks that ended."""
    by_result: dict[str, list[int]] = {}
    for task, result in results:
        by_result.setdefault(result, []).append(task)
    parts = [f"{result} {IndexSet.of(tasks)}" for result, tasks in by_result.items()]
    return "podwright pack: " + "; ".join([f"started {started}", *parts]) + ".\n"


def whole(tasks: IndexSet, draw: Any) -> PackEnd:
    """All tasks told how they ended, or the runner was stopped before it started some."""
    order = list(tasks)
    started = draw(st.integers(0, len(order)) | st.just(len(order)))
    told = started if draw(st.booleans()) else max(0, started - 1)  # the last one was cut short by what ended the pod
    results = [(task, draw(_RESULTS)) for task in order[:told]]
    good = IndexSet.of(task for task, result in results if result == "succeeded")
    return PackEnd(
        exit_code=0 if good == tasks else draw(st.sampled_from([1, 1, 137])),
        message=report(results, started=started),
        ran=IndexSet.of(order[:started]),
        succeeded=good,
        failed=IndexSet.of(order[:told]) - good,
    )


def silent(tasks: IndexSet, draw: Any) -> PackEnd:
    """Nothing is known, whatever the exit code."""
    message = draw(st.sampled_from(["", "killed", "podwright pack: "]))
    return PackEnd(exit_code=draw(st.sampled_from([0, 0, 1, 137])), message=message, ran=tasks)


def lying(tasks: IndexSet, draw: Any) -> PackEnd:
    """Somebody else wrote the message, who may know the format. What he says of the pod's own tasks can't be told from the truth."""
    one = next(iter(tasks))
    message, succeeded, failed = draw(
        st.sampled_from(
            [
                (f"podwright pack: succeeded {ALL_THERE_ARE}.", tasks, EMPTY),
                (f"podwright pack: succeeded {one}.", IndexSet.of([one]), EMPTY),
                (f"podwright pack: exit 3: {ALL_THERE_ARE}.", EMPTY, tasks),
                (f"podwright pack: succeeded {one}; exit 3: {one}.", EMPTY, EMPTY),
                (f"podwright pack: succeeded {one}; succeeded {one}.", EMPTY, EMPTY),
                (f"podwright pack: succeeded {one}", EMPTY, EMPTY),
                ("podwright pack: succeeded 98-99.", EMPTY, EMPTY),
                (f"podwright pack: exit 256: {one}; succeeded {one}.", EMPTY, EMPTY),
            ]
        )
    )
    code = draw(st.sampled_from([0, 0, 1, 137]))
    return PackEnd(exit_code=code, message=message, ran=tasks, succeeded=succeeded, failed=failed, true=False)


def any_end(tasks: IndexSet, draw: Any) -> PackEnd:
    """Draw an end of any kind."""
    kind = draw(st.sampled_from([whole, whole, whole, silent, lying]))
    end: PackEnd = kind(tasks, draw)
    return end


_RESULTS = st.sampled_from(["succeeded", "succeeded", "succeeded", "exit 1:", "exit 137:", "timed out:"])
