"""The simulated nodes, garbage collector and namespace controller, and the fence."""

from typing import Any

import pytest

from podwright.core.constants import names
from tests.support.simulator.api import Api
from tests.support.simulator.clock import ManualClock
from tests.support.simulator.deletion import DeleteOptions
from tests.support.simulator.errors import ApiError
from tests.support.simulator.fence import OPERATOR, SYSTEM_NAMESPACE, fence
from tests.support.simulator.garbage import GarbageCollector
from tests.support.simulator.kinds import BATCH_JOB, LEASE, NAMESPACE, POD, Kind
from tests.support.simulator.kubelet import Kubelet
from tests.support.simulator.manifests import job, owned_by, pod, script
from tests.support.simulator.storage import Key

USER = "somebody"


def create(api: Api, kind: Kind, body: dict[str, Any], *, namespace: str = "default") -> dict[str, Any]:
    return api.create(kind, namespace, body, user=USER).document


def phase(api: Api, name: str) -> str | None:
    stored = api.table(POD).objects.get(Key("default", name))
    return stored.document["status"]["phase"] if stored else None


def terminated(api: Api, name: str) -> dict[str, Any]:
    status = api.get(POD, Key("default", name)).document["status"]
    ended: dict[str, Any] = status["containerStatuses"][0]["state"]["terminated"]
    return ended


class TestKubelet:
    @pytest.fixture(autouse=True)
    def kubelet(self, api: Api) -> Kubelet:
        return Kubelet(api)

    def test_pod_runs_and_ends_as_its_annotations_tell(self, api: Api, clock: ManualClock) -> None:
        told = script(pending="2s", duration="5s", exit_code="3", reason="Boom", termination_message="broken")
        create(api, POD, pod("p", annotations=told))
        clock.advance(1)
        assert phase(api, "p") == "Pending"
        assert api.get(POD, Key("default", "p")).document["spec"]["nodeName"].startswith("fake-")
        clock.advance(2)
        assert phase(api, "p") == "Running"
        clock.advance(5)
        assert phase(api, "p") == "Failed"
        ended = terminated(api, "p")
        assert (ended["exitCode"], ended["reason"], ended["message"]) == (3, "Boom", "broken")

    def test_pod_without_a_script_succeeds_at_once(self, api: Api, clock: ManualClock) -> None:
        create(api, POD, pod("p"))
        clock.advance()
        assert phase(api, "p") == "Succeeded"

    @pytest.mark.parametrize(("attempt", "code"), [("0", 3), ("1", 0), ("2", 4), ("7", 4)])
    def test_each_attempt_may_have_its_own_exit_code(
        self, api: Api, clock: ManualClock, attempt: str, code: int
    ) -> None:
        told = script(exit_codes="3, 0,4", exit_code="9")
        create(api, POD, pod("p", annotations=told, labels={names.LABEL_ATTEMPT: attempt}))
        clock.advance()
        assert terminated(api, "p")["exitCode"] == code

    def test_pod_is_ended_at_its_deadline(self, api: Api, clock: ManualClock) -> None:
        body = pod("p", annotations=script(duration="forever"))
        body["spec"]["activeDeadlineSeconds"] = 7
        create(api, POD, body)
        clock.advance(8)
        assert api.get(POD, Key("default", "p")).document["status"]["reason"] == "DeadlineExceeded"

    @pytest.mark.parametrize(("told", "wait", "code"), [({}, 0, 143), ({"ignore_sigterm": "true"}, 30, 137)])
    def test_deleted_pod_ends_within_its_grace(
        self, api: Api, clock: ManualClock, told: dict[str, str], wait: float, code: int
    ) -> None:
        create(api, POD, pod("p", annotations=script(duration="forever", **told), finalizers=["a.b/c"]))
        clock.advance(1)
        api.delete(POD, Key("default", "p"), DeleteOptions(), user=USER)
        if wait:
            clock.advance(wait - 2)
            assert phase(api, "p") == "Running"
        clock.advance(2)
        assert terminated(api, "p")["exitCode"] == code
        assert api.get(POD, Key("default", "p")).document["metadata"]["deletionGracePeriodSeconds"] == 0

    def test_deleted_pod_without_finalizers_goes(self, api: Api, clock: ManualClock) -> None:
        create(api, POD, pod("p", annotations=script(duration="forever")))
        clock.advance(1)
        api.delete(POD, Key("default", "p"), DeleteOptions(), user=USER)
        clock.advance(1)
        assert phase(api, "p") is None

    def test_lost_node_never_ends_its_pod(self, api: Api, clock: ManualClock) -> None:
        create(api, POD, pod("p", annotations=script(duration="forever", never_terminates="true")))
        clock.advance(1)
        api.delete(POD, Key("default", "p"), DeleteOptions(), user=USER)
        clock.advance(10_000)
        assert phase(api, "p") == "Running"

    def test_paused_nodes_catch_up(self, api: Api, clock: ManualClock, kubelet: Kubelet) -> None:
        kubelet.pause()
        create(api, POD, pod("p"))
        clock.advance(10)
        assert phase(api, "p") == "Pending"
        kubelet.resume()
        clock.advance(1)
        assert phase(api, "p") == "Succeeded"

    def test_gated_pod_is_not_bound(self, api: Api, clock: ManualClock) -> None:
        body = pod("p")
        body["spec"]["schedulingGates"] = [{"name": "wait"}]
        create(api, POD, body)
        clock.advance(10)
        assert "nodeName" not in api.get(POD, Key("default", "p")).document["spec"]


class TestGarbageCollector:
    @pytest.fixture(autouse=True)
    def collector(self, api: Api) -> GarbageCollector:
        return GarbageCollector(api)

    def dependent(self, api: Api, *, blocks: bool = False) -> dict[str, Any]:
        owner = create(api, BATCH_JOB, job("j"))
        create(api, POD, pod("p", ownerReferences=owned_by(owner, blocks=blocks), finalizers=["a.b/c"]))
        return owner

    def deleting(self, api: Api) -> bool:
        return "deletionTimestamp" in api.get(POD, Key("default", "p")).document["metadata"]

    def test_dependents_go_after_their_owner(self, api: Api, clock: ManualClock) -> None:
        self.dependent(api)
        api.delete(BATCH_JOB, Key("default", "j"), DeleteOptions(), user=USER)
        assert not self.deleting(api)
        clock.advance(1)
        assert self.deleting(api)

    def test_dependent_of_an_owner_that_is_already_gone_goes(self, api: Api, clock: ManualClock) -> None:
        owner = create(api, BATCH_JOB, job("j"))
        api.delete(BATCH_JOB, Key("default", "j"), DeleteOptions(), user=USER)
        create(api, BATCH_JOB, job("j"))  # the same name is not the same owner
        create(api, POD, pod("p", ownerReferences=owned_by(owner)))
        clock.advance(1)
        assert phase(api, "p") is None

    def test_owner_deleted_in_foreground_waits(self, api: Api, clock: ManualClock) -> None:
        self.dependent(api, blocks=True)
        api.delete(BATCH_JOB, Key("default", "j"), DeleteOptions(propagation_policy="Foreground"), user=USER)
        clock.advance(1)
        assert self.deleting(api)
        assert Key("default", "j") in api.table(BATCH_JOB).objects
        release(api, "p")
        clock.advance(1)
        assert Key("default", "j") not in api.table(BATCH_JOB).objects

    def test_orphans_stay_without_their_owner(self, api: Api, clock: ManualClock) -> None:
        self.dependent(api)
        api.delete(BATCH_JOB, Key("default", "j"), DeleteOptions(propagation_policy="Orphan"), user=USER)
        clock.advance(1)
        assert Key("default", "j") not in api.table(BATCH_JOB).objects
        assert not self.deleting(api)
        assert "ownerReferences" not in api.get(POD, Key("default", "p")).document["metadata"]


def release(api: Api, name: str) -> None:
    def without(now: dict[str, Any]) -> dict[str, Any]:
        return {**now, "metadata": {**now["metadata"], "finalizers": []}}

    api.update(POD, Key("default", name), without, user=USER)


def test_deleted_namespace_is_emptied_and_goes(api: Api, clock: ManualClock) -> None:
    create(api, NAMESPACE, {"metadata": {"name": "doomed"}}, namespace="")
    create(api, BATCH_JOB, job("j"), namespace="doomed")
    create(api, POD, pod("p", finalizers=["a.b/c"]), namespace="doomed")
    api.delete(NAMESPACE, Key("", "doomed"), DeleteOptions(), user=USER)
    with pytest.raises(ApiError, match="because it is being terminated"):
        create(api, POD, pod("late"), namespace="doomed")
    clock.advance(1)
    assert Key("doomed", "j") not in api.table(BATCH_JOB).objects
    assert Key("", "doomed") in api.table(NAMESPACE).objects, "a finalizer holds it"
    api.update(
        POD, Key("doomed", "p"), lambda now: {**now, "metadata": {**now["metadata"], "finalizers": []}}, user=USER
    )
    clock.advance(1)
    assert Key("", "doomed") not in api.table(NAMESPACE).objects


class TestFence:
    @pytest.fixture(autouse=True)
    def lease(self, api: Api) -> None:
        api.rules.append(fence(api))
        create(api, NAMESPACE, {"metadata": {"name": SYSTEM_NAMESPACE}}, namespace="")
        lease = {"metadata": {"name": "podwright-shard-0"}, "spec": {"holderIdentity": "x", "leaseTransitions": 4}}
        create(api, LEASE, lease, namespace=SYSTEM_NAMESPACE)

    def attempt(self, api: Api, *, shard: str | None = "0", epoch: str = "4", user: str = OPERATOR) -> None:
        labels = {names.LABEL_SHARD: shard} if shard else {}
        api.create(POD, "default", pod("p", labels=labels, annotations={names.ANNOTATION_EPOCH: epoch}), user=user)

    def test_present_epoch_passes(self, api: Api) -> None:
        self.attempt(api)

    def test_others_are_not_fenced(self, api: Api) -> None:
        self.attempt(api, epoch="1", user=USER)

    @pytest.mark.parametrize("wrong", [{"epoch": "3"}, {"epoch": "5"}, {"shard": "1"}, {"shard": None}])
    def test_everything_else_is_refused(self, api: Api, wrong: dict[str, str]) -> None:
        with pytest.raises(ApiError, match="podwright fence:") as caught:
            self.attempt(api, **wrong)
        assert caught.value.code == 403
