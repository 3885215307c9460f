"""Who may run under a key."""

from typing import Any

import msgspec
import pytest

from podwright.core.constants.names import key_lease_name
from podwright.core.job.gates.idempotency import ASK_AGAIN, idempotency, remembered_until, with_end_known
from podwright.core.job.gates.result import OPEN, End, Issue, Wait
from podwright.core.model.job import KeyClaim
from podwright.core.model.phase import Phase
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet
from tests.support.builders import CREATED, make_attempt, make_job, with_status

NOW = CREATED + 100
JOB = make_job(idempotency_key="order", dedup_window=3600.0)
OTHERS = KeyClaim(holder_uid="other", holder_name="first", lease_uid="lease", lease_version="7", at=NOW)


def test_a_job_without_a_key_needs_no_claim() -> None:
    assert idempotency(job=make_job(), claim=None, now=NOW) == OPEN


def test_nothing_is_known_so_the_key_is_claimed() -> None:
    gate = idempotency(job=JOB, claim=None, now=NOW)
    assert isinstance(gate, Issue)
    command = gate.command
    assert command.lease_name == key_lease_name(namespace="default", key="order")
    assert (command.of.uid, command.window, command.replaced_uid) == (JOB.uid, 3600.0, "")


def test_the_holder_may_run_however_old_its_claim_is() -> None:
    for until in (None, 0.0):
        assert idempotency(job=JOB, claim=KeyClaim(holder_uid=JOB.uid, until=until), now=NOW) == OPEN


@pytest.mark.parametrize("until", [None, NOW + 0.001])
def test_while_the_holder_lives_or_is_remembered_others_are_duplicates(until: float | None) -> None:
    gate = idempotency(job=JOB, claim=KeyClaim(holder_uid="other", holder_name="first", until=until), now=NOW)
    assert isinstance(gate, End)
    assert (gate.phase, gate.reason, gate.duplicate_of) == (Phase.SKIPPED, "Duplicate", "first")


def test_a_key_that_is_free_again_is_taken_over_from_the_lease_that_was_read() -> None:
    claim = KeyClaim(holder_uid="other", until=NOW, lease_uid="lease", lease_version="7")
    gate = idempotency(job=JOB, claim=claim, now=NOW)
    assert isinstance(gate, Issue)
    assert (gate.command.replaced_uid, gate.command.replaced_version) == ("lease", "7")


def test_what_cannot_be_claimed_waits_and_is_tried_again() -> None:
    claim = KeyClaim(problem="forbidden", at=NOW)
    assert idempotency(job=JOB, claim=claim, now=NOW) == Wait(
        reason="KeyNotClaimable", message="forbidden", requeue_at=NOW + ASK_AGAIN
    )
    assert isinstance(idempotency(job=JOB, claim=claim, now=NOW + ASK_AGAIN), Issue)


def test_l16_a_key_for_which_there_is_no_room_is_waited_for_and_not_claimed() -> None:
    gate = idempotency(job=JOB, claim=KeyClaim(no_room=True, at=NOW - 1000), now=NOW)
    assert isinstance(gate, Wait)
    assert (gate.reason, gate.requeue_at) == ("TooManyKeys", NOW + ASK_AGAIN)
    assert gate.message == "namespace default has the 100,000 idempotency keys that are remembered at once"


@pytest.mark.parametrize(
    ("status", "until"),
    [
        ({}, None),
        ({"phase": Phase.RUNNING}, None),
        ({"phase": Phase.SUCCEEDED, "finished": 10.0}, 3610.0),
        ({"phase": Phase.CANCELLED, "finished": 10.0, "attempts": (make_attempt(JOB),)}, 3610.0),
        ({"phase": Phase.FAILED, "finished": 10.0, "attempts": (make_attempt(JOB, outcome=None),)}, 3610.0),
        ({"phase": Phase.SKIPPED, "finished": 10.0, "duplicate_of": "first"}, 0.0),
        pytest.param({"phase": Phase.CANCELLED, "finished": 10.0}, 0.0, id="S12 cancelled before its first pod"),
        pytest.param({"phase": Phase.FAILED, "finished": 10.0}, 0.0, id="S12 its first pod was refused"),
        pytest.param({"phase": Phase.SKIPPED, "finished": 10.0}, 0.0, id="S12 skipped by its dependencies"),
    ],
)
def test_a_key_is_remembered_from_its_holders_end_if_that_had_it(status: dict[str, Any], until: float | None) -> None:
    assert remembered_until(holder=with_status(JOB, **status)) == until


def test_s12_the_key_of_an_array_stays_whether_or_not_its_pods_are_still_known() -> None:
    array = ArraySpec(size=2, tasks=IndexSet.up_to(2))
    holder = with_status(make_job(array=array, dedup_window=3600.0), phase=Phase.FAILED, finished=10.0)
    assert remembered_until(holder=holder) == 3610.0


def test_a_later_picture_of_the_holder_tells_its_end_and_nothing_else_does() -> None:
    other = make_job(uid="other", dedup_window=5.0)
    ended = with_status(other, phase=Phase.FAILED, finished=NOW, reason="whatever", attempts=(make_attempt(other),))
    assert with_end_known(claim=OTHERS, holder=ended).until == NOW + 5
    known = KeyClaim(holder_uid="other", until=NOW)
    for holder in (None, make_job(uid="other"), with_status(make_job(), phase=Phase.FAILED, finished=NOW)):
        assert with_end_known(claim=known, holder=holder) == known


@pytest.mark.parametrize(("until", "runs"), [(NOW + 3600, True), (None, False)])
def test_who_restarts_the_holder_takes_its_key_over_once_it_has_ended(until: float | None, runs: bool) -> None:
    again = msgspec.structs.replace(JOB, origin_uid="other")
    gate = idempotency(job=again, claim=KeyClaim(holder_uid="other", holder_name="first", until=until), now=NOW)
    assert isinstance(gate, Issue) is runs
