"""Elections in virtual time. The same against a real API server: tests/cluster/test_kube.py."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.kube.lease import LeaseElector
from tests.support import virtual_time
from tests.unit.kube.leases import NEVER, START, Candidate, Fault, LeaseServer


def now() -> float:
    return asyncio.get_running_loop().time()


def scenario(story: Any) -> Any:
    """Run the story with a fresh server, in virtual time."""

    def test() -> None:
        async def tell() -> None:
            server = LeaseServer()
            async with asyncio.timeout(1000):
                await story(server)

        virtual_time.run(tell())

    test.__name__, test.__doc__ = story.__name__, story.__doc__
    return test


@scenario
async def test_makes_the_lease_takes_it_and_renews_it(server: LeaseServer) -> None:
    a = Candidate(server, "a")
    epoch = await a.lead()
    won_at = a.elector.claim.version if a.elector.claim else 0
    assert won_at == 2, "it was made, and then taken"
    assert epoch >= START - 1_300_000_000
    assert server.spec["holderIdentity"] == "a"
    assert server.spec["leaseTransitions"] == epoch
    assert server.spec["leaseDurationSeconds"] == 10
    assert server.spec["acquireTime"] == server.spec["renewTime"] == "2027-01-15T08:00:00.000000Z"
    for _ in range(200):
        await asyncio.sleep(0.3)
        assert a.elector.is_valid()
        assert a.elector.claim is not None
        assert 4.5 < a.elector.claim.valid_until - now() <= 7.0
        assert a.elector.claim.version == won_at, "a renewal says nothing of when the term began"
    updates = sum(method == "PUT" for _, method in a.client.requests)
    assert 29 <= updates <= 32, "one every two seconds"
    assert a.elector.problem == ""


@scenario
async def test_an_empty_lease_that_somebody_else_made_is_free(server: LeaseServer) -> None:
    server.create(holderIdentity=None, leaseTransitions=None, renewTime=None, leaseDurationSeconds=None)
    assert await Candidate(server, "a").lead() >= START - 1_300_000_000
    assert now() < 1001.0


@scenario
async def test_takes_over_after_a_crash_once_the_duration_is_over(server: LeaseServer) -> None:
    a, b = Candidate(server, "a"), Candidate(server, "b")
    first = await a.lead()
    b.start()
    await asyncio.sleep(3.0)
    assert b.elector.claim is None
    claim = a.elector.claim
    assert claim is not None
    await a.crash()
    second = (await b.elector.claimed()).epoch
    renewed = claim.valid_until - 7.0
    assert 10.0 <= now() - renewed <= 12.5
    assert now() > claim.valid_until + 2.9, "the margin"
    assert second == first + 1


@scenario
async def test_a_newcomer_waits_for_the_duration_whatever_the_clock_says(server: LeaseServer) -> None:
    """The times in the Lease are from somebody's clock, so they prove nothing."""
    server.create(
        holderIdentity="x", leaseTransitions=5, renewTime="1971-01-01T00:00:00.000000Z", leaseDurationSeconds=10
    )
    a = Candidate(server, "a")
    await a.lead()
    assert 1010.0 <= now() <= 1012.0


@scenario
async def test_release_lets_the_successor_in_at_once(server: LeaseServer) -> None:
    a, b = Candidate(server, "a"), Candidate(server, "b")
    first = await a.lead()
    b.start()
    await asyncio.sleep(1.0)
    a.elector.stop()
    assert await a.ended() == ""
    assert a.elector.is_valid(), "writes under way may still be finished"
    released = now()
    await a.elector.release()
    assert not a.elector.is_valid()
    assert server.spec["holderIdentity"] == ""
    assert (await b.elector.claimed()).epoch == first + 1
    assert now() - released < 1.2


@scenario
async def test_release_after_a_renewal_was_cut_off(server: LeaseServer) -> None:
    a = Candidate(server, "a")
    await a.lead()
    a.client.fault = lambda method: Fault(after=1.5)
    await asyncio.sleep(2.5)  # a renewal was executed, and its answer is on the way
    await a.crash()
    a.client.fault = lambda method: Fault()
    await a.elector.release()
    assert server.spec["holderIdentity"] == ""


@scenario
async def test_release_does_not_touch_what_is_no_longer_ours(server: LeaseServer) -> None:
    a = Candidate(server, "a")
    await a.lead()
    server.change(holderIdentity="b", leaseTransitions=999_999_999)
    await a.elector.release()
    assert server.spec["holderIdentity"] == "b"


@scenario
async def test_release_of_a_silent_server_does_not_last(server: LeaseServer) -> None:
    a = Candidate(server, "a")
    await a.lead()
    a.elector.stop()
    await a.ended()
    a.client.fault = lambda method: Fault(before=NEVER)
    begun = now()
    await a.elector.release(within=2.0)
    assert now() - begun <= 2.1
    assert not a.elector.is_valid()


@scenario
async def test_release_without_a_claim_asks_nothing(server: LeaseServer) -> None:
    a = Candidate(server, "a")
    await a.elector.release()
    assert a.client.requests == []


@scenario
async def test_stop_before_the_start(server: LeaseServer) -> None:
    a = Candidate(server, "a")
    a.elector.stop()
    await a.start().ended()
    assert a.client.requests == []


@scenario
async def test_one_hung_request_does_not_cost_the_claim(server: LeaseServer) -> None:
    a = Candidate(server, "a")
    await a.lead()
    faults = [Fault(before=NEVER)]
    a.client.fault = lambda method: faults.pop() if faults else Fault()
    for _ in range(100):
        await asyncio.sleep(0.1)
        assert a.elector.is_valid()
    assert not faults


@scenario
async def test_the_claim_ends_when_the_server_is_silent(server: LeaseServer) -> None:
    a = Candidate(server, "a")
    await a.lead()
    await asyncio.sleep(9.0)  # between two renewals
    claim = a.elector.claim
    assert claim is not None
    a.client.fault = lambda method: Fault(before=NEVER)
    problem = await a.ended()
    assert claim.valid_until <= now() <= claim.valid_until + 0.1
    assert "not renewed in time" in problem
    assert a.elector.claim is None
    sent = [time for time, method in a.client.requests if method == "PUT"]
    assert max(sent) < claim.valid_until


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_the_claim_ends_when_the_server_refuses(status: int) -> None:
    async def story() -> None:
        server = LeaseServer()
        a = Candidate(server, "a")
        await a.lead()
        a.client.fault = lambda method: Fault(status=status)
        begun = now()
        assert str(status) in await a.ended()
        assert 4.5 < now() - begun < 7.1
        assert len(a.client.requests) < 25, "it must not hammer"

    virtual_time.run(story())


@scenario
async def test_a_short_outage_does_not_cost_the_claim(server: LeaseServer) -> None:
    a = Candidate(server, "a")
    await a.lead()
    await asyncio.sleep(2.2)
    server.down = True
    await asyncio.sleep(4.0)
    assert a.elector.problem
    server.down = False
    await asyncio.sleep(3.0)
    assert a.elector.is_valid()
    assert a.elector.problem == ""


@scenario
async def test_a_lost_answer_to_a_renewal_is_found_out(server: LeaseServer) -> None:
    a = Candidate(server, "a")
    epoch = await a.lead()
    faults = [Fault(lost="answer")]
    a.client.fault = lambda method: faults.pop() if faults and method == "PUT" else Fault()
    await asyncio.sleep(30.0)
    assert not faults
    assert a.elector.is_valid()
    assert server.spec["leaseTransitions"] == epoch


@scenario
async def test_a_lost_answer_to_an_acquisition_costs_an_epoch_only(server: LeaseServer) -> None:
    server.create()
    faults = [Fault(lost="answer")]
    a = Candidate(server, "a", fault=lambda method: faults.pop() if faults and method == "PUT" else Fault())
    epoch = await a.lead()
    assert not faults
    assert server.spec["leaseTransitions"] == epoch
    assert now() < 1005.0


@scenario
async def test_a_paused_process_knows_that_it_lost(server: LeaseServer) -> None:
    a, b = Candidate(server, "a"), Candidate(server, "b")
    await a.lead()
    a.skipped += 20.0
    assert not a.elector.is_valid(), "before anything else happens"
    assert "stood still" in await a.ended()
    assert await b.lead()


@scenario
async def test_a_deleted_lease_ends_the_claim_and_reuses_no_epoch(server: LeaseServer) -> None:
    a = Candidate(server, "a")
    first = await a.lead()
    await asyncio.sleep(1.0)
    server.delete()
    begun = now()
    assert "deleted" in await a.ended()
    assert now() - begun < 2.5
    # Another process, which never saw the former Lease.
    assert await Candidate(server, "b").lead() > first


@scenario
async def test_a_stolen_lease_ends_the_claim(server: LeaseServer) -> None:
    a = Candidate(server, "a")
    first = await a.lead()
    server.change(holderIdentity="somebody")
    assert "held by somebody" in await a.ended()
    begun = now()
    assert await a.lead() > first, "once nobody renews it"
    assert 9.0 < now() - begun < 12.0


@pytest.mark.parametrize("change", [-5, +5])
def test_a_changed_epoch_ends_the_claim_and_never_comes_back(change: int) -> None:
    async def story() -> None:
        server = LeaseServer()
        a = Candidate(server, "a")
        first = await a.lead()
        server.change(leaseTransitions=first + change)
        assert f"in epoch {first + change}" in await a.ended()
        assert await a.lead() > max(first, first + change)

    virtual_time.run(story())


@scenario
async def test_labels_of_others_stay_and_do_not_disturb(server: LeaseServer) -> None:
    a = Candidate(server, "a")
    await a.lead()
    for number in range(100):
        assert server.lease is not None
        server.lease["metadata"]["labels"] = {"team": str(number)}
        server.change()
        await asyncio.sleep(0.1)
        assert a.elector.is_valid()
    assert server.lease is not None
    assert server.lease["metadata"]["labels"] == {"team": "99"}


@scenario
async def test_somebody_who_touches_the_lease_does_not_keep_it_alive(server: LeaseServer) -> None:
    server.create(holderIdentity="dead", leaseTransitions=5, leaseDurationSeconds=10)
    a = Candidate(server, "a").start()
    for _ in range(130):
        await asyncio.sleep(0.1)
        server.change()
    assert a.elector.claim is not None


@pytest.mark.parametrize(("duration", "waits"), [(None, 10), (0, 10), (-5, 10), (3, 10), (20, 20), (2_000_000_000, 60)])
def test_nonsense_in_the_duration_is_bounded(duration: int | None, waits: float) -> None:
    async def story() -> None:
        server = LeaseServer()
        server.create(holderIdentity="dead", leaseDurationSeconds=duration)
        await Candidate(server, "a").lead()
        assert waits <= now() - 1000.0 <= waits + 2.0

    virtual_time.run(story())


@scenario
async def test_a_wall_clock_that_stands_still_does_not_hide_renewals(server: LeaseServer) -> None:
    a, b = Candidate(server, "a"), Candidate(server, "b")
    await a.lead()
    b.start()
    times = set()
    for _ in range(30):
        await asyncio.sleep(2.0)
        times.add(server.spec["renewTime"])
        assert a.elector.is_valid()
        assert b.elector.claim is None
    assert len(times) > 25


@scenario
async def test_without_the_right_to_create(server: LeaseServer) -> None:
    server.forbidden = {"POST"}
    a = Candidate(server, "a").start()
    await asyncio.sleep(10.0)
    assert "cannot POST leases" in a.elector.problem
    assert "create unless it exists" in a.elector.problem
    assert len(a.client.requests) < 30
    server.create()
    await a.elector.claimed()
    assert a.elector.problem == ""


@scenario
async def test_garbage_instead_of_a_lease(server: LeaseServer) -> None:
    server.create()
    assert server.lease is not None
    metadata = server.lease["metadata"]
    server.lease["metadata"] = "garbage"
    a = Candidate(server, "a").start()
    await asyncio.sleep(5.0)
    assert "no Lease" in a.elector.problem
    server.lease["metadata"] = metadata
    await a.elector.claimed()


@scenario
async def test_of_many_candidates_one_leads(server: LeaseServer) -> None:
    candidates = [Candidate(server, f"c{number}").start() for number in range(10)]
    await asyncio.sleep(30.0)
    assert sum(candidate.elector.is_valid() for candidate in candidates) == 1
    for candidate in candidates:
        await candidate.crash()


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_whatever_the_network_does_there_is_one_leader_at_most(seed: int) -> None:
    """Lost, late and repeated answers, refusals, crashes, releases, paused processes: never two, and every epoch is new."""
    chance = random.Random(seed)

    def fault(method: str) -> Fault:
        kind = chance.choices(["none", "slow", "request", "answer", "status"], [60, 15, 10, 10, 5])[0]
        if kind == "slow":
            return Fault(before=chance.uniform(0, 12), after=chance.uniform(0, 12))
        if kind == "status":
            return Fault(status=chance.choice([409, 429, 500]))
        return Fault(lost="" if kind == "none" else kind)

    async def story() -> None:
        server = LeaseServer()
        candidates = [Candidate(server, f"c{number}", fault=fault).start() for number in range(3)]
        epochs: list[int] = []
        for step in range(2400):
            await asyncio.sleep(0.1)
            valid = [candidate for candidate in candidates if candidate.elector.is_valid()]
            assert len(valid) <= 1, f"two leaders at step {step}"
            for candidate in valid:
                claim = candidate.elector.claim
                assert claim is not None
                if not epochs or claim.epoch != epochs[-1]:
                    assert not epochs or claim.epoch > epochs[-1], epochs
                    epochs.append(claim.epoch)
            for number, candidate in enumerate(candidates):
                assert candidate.task is not None
                if candidate.task.done():
                    candidate.task.result()
                    candidate.start()
                elif candidate.elector.is_valid() and chance.random() < 0.003:
                    # Only a leader: for the others a clock that runs ahead of the world is what the protocol excludes.
                    candidate.skipped += chance.uniform(1, 30)
                elif chance.random() < 0.002:
                    await candidate.crash()
                    await candidate.elector.release()
                    candidates[number] = Candidate(server, f"c{number}-{step}", fault=fault).start()
        assert epochs, "somebody must lead at times"
        for candidate in candidates:
            await candidate.crash()

    virtual_time.run(story())


@pytest.mark.parametrize(
    "times",
    [
        {"duration": 7.0},
        {"duration": 10.5},
        {"duration": 120.0},
        {"renew_interval": 8.0},
        {"retry_interval": 0.0},
        {"retry_interval": 3.0},
    ],
)
def test_times_without_a_margin_are_refused(times: dict[str, Any]) -> None:
    async def story() -> None:
        client = Candidate(LeaseServer(), "a").client
        with pytest.raises(ValueError, match=r"(?i)lease"):
            LeaseElector(client, namespace="n", name="l", identity="a", **times)

    virtual_time.run(story())
