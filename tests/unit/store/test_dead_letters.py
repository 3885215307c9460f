"""Counts of dead letters follow the jobs, however they come and go."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.model.phase import Phase
from podwright.store.jobs import JobStore
from tests.support.builders import make_job, with_status

_step = st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from([*Phase, "deleted"]), st.integers(0, 30))


@given(steps=st.lists(_step, max_size=30))
def test_the_counts_are_those_of_the_jobs_that_are_kept(steps: list[tuple[str, str, int]]) -> None:
    store = JobStore(on_change=lambda uid: None)
    for uid, phase, version in steps:
        if phase == "deleted":
            store.remove_job(uid)
            continue
        seen = with_status(make_job(uid=uid, namespace="n" if uid == "a" else "m"), phase=Phase(phase))
        store.put_job(msgspec.structs.replace(seen, resource_version=version))
    kept = [job for uid in "abc" if (job := store.job(uid)) is not None]
    dead = [job.namespace for job in kept if job.status.phase is Phase.DEAD_LETTERED]
    assert store.dead_letters.by_namespace() == {name: dead.count(name) for name in dead}
