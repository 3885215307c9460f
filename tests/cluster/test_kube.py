"""`podwright.kube` with a real API server, as the operator's service account: requests, mirroring, elections."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from podwright.core.commands import Delete, Release, WriteStatus
from podwright.core.constants import names
from podwright.core.job.pod.attempt_pod import AttemptPod, create_pod
from podwright.core.job.pod.template import build_pod
from podwright.core.job.status import next_status, write_status
from podwright.core.model.attempt import Attempt, Outcome
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodView
from podwright.core.values.ref import POD, Ref
from podwright.kube import paths
from podwright.kube.client import ApiClient
from podwright.kube.codecs import requests as encode
from podwright.kube.codecs.answer import decode_job, decode_metadata, decode_pod
from podwright.kube.codecs.page import JOBS, PODS, EventType, Undecodable
from podwright.kube.credentials import load_credentials
from podwright.kube.errors import StatusError, parse_status
from podwright.kube.lease import LeaseElector
from podwright.kube.reflector import Reflector
from tests.cluster.manifests import make_job, make_lease
from tests.support.operators import SYSTEM_NAMESPACE, operator_kubeconfig
from tests.unit.kube.objects import nested

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from podwright.core.model.job import JobView
    from podwright.devcluster import EmbeddedCluster
    from podwright.kube.codecs.page import ObjectDecoder
    from podwright.kube.poison import Steps
    from podwright.kube.responses import ApiResponse
    from tests.cluster.api import Api


@pytest.fixture
async def client(cluster: EmbeddedCluster, tmp_path: Path) -> AsyncIterator[ApiClient]:
    """A client with exactly the operator's rights."""
    kubeconfig = operator_kubeconfig(cluster, tmp_path / "kubeconfig")
    async with ApiClient(load_credentials(kubeconfig=str(kubeconfig))) as client:
        yield client


class Mirror:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}
        self.poisoned: dict[str, Undecodable] = {}

    def replaced_in_steps(self, items: list[Any], list_resource_version: int) -> Steps[None]:
        self.items = {item.name: item for item in items if not isinstance(item, Undecodable)}
        self.poisoned = {item.name: item for item in items if isinstance(item, Undecodable)}
        yield

    def changed(self, item: Any) -> None:
        self.items[item.name] = item

    def deleted(self, item: Any) -> None:
        self.items.pop(item.name, None)
        self.poisoned.pop(item.name, None)

    def undecodable(self, item: Undecodable) -> None:
        self.poisoned[item.name] = item

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds."""
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - a state that nobody signals is waited for
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def mirrored(
    client: ApiClient, path: str, decoder: ObjectDecoder[Any, Any], **options: Any
) -> AsyncIterator[Mirror]:
    """Mirror a collection during the block."""
    mirror = Mirror()
    reflector = Reflector(client=client, path=path, decoder=decoder, sink=mirror, **options)
    task = asyncio.create_task(reflector.run())
    try:
        await asyncio.wait_for(reflector.synced.wait(), 20)
        yield mirror
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert reflector.problem == ""


def ok(answer: ApiResponse) -> bytes:
    """Return the body; fails the test on a refusal."""
    assert answer.status < 300, answer
    return answer.body


def error(answer: ApiResponse) -> StatusError:
    """Return the refusal; fails the test if there was none."""
    assert answer.status >= 300, answer
    return parse_status(answer.status, answer.body)


def submit(api: Api, namespace: str, name: str, **spec: Any) -> JobView:
    body = api.create(make_job(namespace=namespace, name=name, **spec)).expect()
    return decode_job(msgspec.json.encode(body))


def write_of(job: JobView, **changes: Any) -> WriteStatus:
    status = next_status(job=job, reason="Because", message="It is so.", now=1_795_237_200.125, **changes)
    return write_status(job=job, status=status)


async def test_what_a_status_write_stores_is_what_it_said(client: ApiClient, api: Api, namespace: str) -> None:
    job = submit(api, namespace, "job", retry={"initial": "1s500ms"}, timeouts={"total": "1h"})
    assert (job.retry.initial, job.total_timeout) == (1.5, 3600.0)
    pending = write_of(job, phase=Phase.RUNNING, attempt=Attempt(number=0, pod_name="p", pod_uid="u", started=1.5))
    written = decode_metadata(ok(await client.send(encode.write_status(pending))))
    assert written.uid == job.uid
    assert written.resource_version > job.resource_version
    stored = decode_job(ok(await client.send(encode.get_job(namespace=namespace, name="job"))))
    assert stored.status == pending.status
    assert stored.resource_version == written.resource_version
    assert stored.template == job.template

    ended = Attempt(number=0, pod_name="p", pod_uid="u", started=1.5, ended=2.0, outcome=Outcome.SUCCEEDED, exit_code=0)
    over = write_of(stored, phase=Phase.SUCCEEDED, attempt=ended)
    ok(await client.send(encode.write_status(over)))
    final = decode_job(ok(await client.send(encode.get_job(namespace=namespace, name="job"))))
    assert final.status == over.status
    assert final.template == b""


async def test_writes_from_an_old_picture_are_refused(client: ApiClient, api: Api, namespace: str) -> None:
    job = submit(api, namespace, "job")
    write = write_of(job, phase=Phase.PENDING)
    ok(await client.send(encode.write_status(write)))
    assert error(await client.send(encode.write_status(write))).reason == "Conflict"

    fresh = decode_job(ok(await client.send(encode.get_job(namespace=namespace, name="job"))))
    delete = Delete(of=job.ref, target=job.ref, namespace=namespace, name="job", resource_version=job.resource_version)
    assert error(await client.send(encode.delete_job(delete))).reason == "Conflict"
    now = msgspec.structs.replace(delete, resource_version=fresh.resource_version)
    ok(await client.send(encode.delete_job(now)))
    assert error(await client.send(encode.get_job(namespace=namespace, name="job"))).code == 404


async def test_the_life_of_a_pod(client: ApiClient, api: Api, namespace: str, shard: str) -> None:
    api.create(make_lease(name=shard, epoch=7)).expect()
    job = submit(api, namespace, "job")
    pod_name = names.pod_name(job_name="job", job_uid=job.uid, task_index=0, attempt=0)
    attempt = AttemptPod(task_index=0, attempt=0)
    create = create_pod(job=job, name=pod_name, pod=attempt)
    async with mirrored(client, encode.pods_path(), PODS, label_selector=names.LABEL_JOB_UID) as mirror:
        stale = encode.create_pod(create, body=build_pod(job=job, name=pod_name, attempt=attempt, shard=0, epoch=6))
        # The API server sees a new Lease a moment after it was made.
        request = encode.create_pod(create, body=build_pod(job=job, name=pod_name, attempt=attempt, shard=0, epoch=7))
        answer = await client.send(request)
        until = time.monotonic() + 10
        while answer.status == 403 and time.monotonic() < until:
            assert error(answer).fenced
            await asyncio.sleep(0.02)
            answer = await client.send(request)
        created = decode_metadata(ok(answer))
        assert (created.name, created.namespace) == (pod_name, namespace)
        refusal = error(await client.send(stale))
        assert refusal.fenced
        again = error(await client.send(request))
        assert (again.code, again.reason, again.fenced) == (409, "AlreadyExists", False)

        await mirror.until(lambda: pod_name in mirror.items)
        seen = mirror.items[pod_name]
        assert isinstance(seen, PodView)
        assert (seen.uid, seen.job_uid, seen.job_name, seen.attempt) == (created.uid, job.uid, "job", 0)
        assert seen.held
        assert seen.created == created.created

        release = Release(of=job.ref, target=Ref(POD, created.uid), namespace=namespace, name=pod_name)
        other = msgspec.structs.replace(release, target=Ref(POD, "another"))
        assert error(await client.send(encode.release_pod(other))).code in (409, 422)
        delete = Delete(of=job.ref, target=Ref(POD, created.uid), namespace=namespace, name=pod_name, grace=20)
        wrong = msgspec.structs.replace(delete, target=Ref(POD, "another"))
        assert error(await client.send(encode.delete_pod(wrong))).reason == "Conflict"
        before = time.time()
        deleted = decode_pod(ok(await client.send(encode.delete_pod(delete))))
        assert deleted is not None
        assert deleted.uid == created.uid
        assert deleted.deletion_requested is not None
        assert abs(deleted.deletion_requested - before) < 5.0

        metadata = decode_metadata(ok(await client.send(encode.release_pod(release))))
        assert metadata.uid == created.uid
        api.delete("Pod", namespace, pod_name)  # what the kubelet does at the end
        await mirror.until(lambda: pod_name not in mirror.items)
    assert error(await client.send(encode.get_pod(namespace=namespace, name=pod_name))).code == 404


async def test_mirroring_in_pages(client: ApiClient, api: Api, namespace: str) -> None:
    for number in range(7):
        submit(api, namespace, f"job-{number}")
    async with mirrored(client, encode.jobs_path(namespace), JOBS, page_size=2) as mirror:
        assert sorted(mirror.items) == [f"job-{number}" for number in range(7)]
        submit(api, namespace, "late")
        api.delete("BatchJob", namespace, "job-3")
        await mirror.until(lambda: "late" in mirror.items and "job-3" not in mirror.items)
        assert len(mirror.items) == 7


async def test_objects_nested_deeper_than_we_follow(
    cluster: EmbeddedCluster, client: ApiClient, api: Api, namespace: str
) -> None:
    """The API server stores them in free-form fields, so anybody could stop an operator that stumbles over them."""

    async def create(name: str) -> None:
        job = make_job(namespace=namespace, name=name)
        job["spec"]["template"]["spec"]["containers"][0]["odd"] = "DEEP"
        body = msgspec.json.encode(job).replace(b'"DEEP"', nested(3000))
        ok(await admin.request("POST", encode.jobs_path(namespace), body=body))

    async with ApiClient(load_credentials(kubeconfig=str(cluster.kubeconfig))) as admin:
        await create("deep")
        submit(api, namespace, "early")
        async with mirrored(client, encode.jobs_path(namespace), JOBS) as mirror:
            assert (set(mirror.items), set(mirror.poisoned)) == ({"early"}, {"deep"})
            await create("deep-too")
            submit(api, namespace, "late")
            await mirror.until(lambda: "late" in mirror.items)
            assert set(mirror.poisoned) == {"deep", "deep-too"}
            assert mirror.poisoned["deep"].namespace == namespace
            api.delete("BatchJob", namespace, "deep")
            await mirror.until(lambda: "deep" not in mirror.poisoned)


async def test_a_version_that_is_too_old(client: ApiClient) -> None:
    """Versions from before the API server began to remember, here when the kind was made known, are refused with 410."""
    query = {"watch": "1", "resourceVersion": "1", "timeoutSeconds": "5"}
    codes = []
    try:
        async with client.open_stream(encode.jobs_path(), query) as stream:
            async for lines in stream:
                event = JOBS.event(lines[0])
                assert event.type is EventType.ERROR
                assert event.error is not None
                codes.append(event.error.code)
                break
    except StatusError as refusal:
        codes.append(refusal.code)
    assert codes == [410]


async def test_a_refused_watch_says_why(client: ApiClient) -> None:
    with pytest.raises(StatusError) as caught:
        async with client.open_stream("/api/v1/secrets", {"watch": "1"}):
            pass
    assert caught.value.code == 403
    assert "secrets" in caught.value.message


class Candidate:
    """An elector at work."""

    def __init__(self, client: ApiClient, lease: str, identity: str) -> None:
        self.elector = LeaseElector(client, namespace=SYSTEM_NAMESPACE, name=lease, identity=identity)
        self.task = asyncio.create_task(self.elector.run())

    async def end(self) -> None:
        """Stop without giving the Lease back."""
        self.task.cancel()
        await asyncio.wait([self.task])

    async def epoch(self) -> int:
        """Wait for the claim."""
        return (await asyncio.wait_for(self.elector.claimed(), 20)).epoch


async def test_elections(client: ApiClient, api: Api, shard: str) -> None:
    a, b = Candidate(client, shard, "a"), Candidate(client, shard, "b")
    try:
        await asyncio.wait({asyncio.create_task(c.elector.claimed()) for c in (a, b)}, return_when="FIRST_COMPLETED")
        leader, follower = (a, b) if a.elector.is_valid() else (b, a)
        first = await leader.epoch()
        await asyncio.sleep(3.0)
        assert leader.elector.is_valid()
        assert follower.elector.claim is None
        assert api.get("Lease", SYSTEM_NAMESPACE, shard).expect()["spec"]["leaseTransitions"] == first

        # Given back, it changes hands at once.
        leader.elector.stop()
        await asyncio.wait_for(leader.task, 5)
        released = time.monotonic()
        await leader.elector.release()
        second = await follower.epoch()
        assert time.monotonic() - released < 3.0
        assert second == first + 1

        # Labels don't disturb it, a deletion ends it.
        api.patch("Lease", SYSTEM_NAMESPACE, shard, {"metadata": {"labels": {"team": "x"}}}).expect()
        await asyncio.sleep(3.0)
        assert follower.elector.is_valid()
        lease = api.get("Lease", SYSTEM_NAMESPACE, shard).expect()
        assert lease["metadata"]["labels"] == {"team": "x"}
        assert lease["spec"]["holderIdentity"] in ("a", "b")
        api.delete("Lease", SYSTEM_NAMESPACE, shard)
        await asyncio.wait_for(follower.task, 5)
        assert "deleted" in follower.elector.problem
        again = Candidate(client, shard, "c")
        try:
            assert await again.epoch() > second
        finally:
            await again.end()
    finally:
        await a.end()
        await b.end()


async def test_a_takeover_after_a_crash(client: ApiClient, shard: str) -> None:
    a = Candidate(client, shard, "a")
    b: Candidate | None = None
    try:
        first = await a.epoch()
        b = Candidate(client, shard, "b")
        await asyncio.sleep(1.5)
        await a.end()
        crashed = time.monotonic()
        assert await b.epoch() == first + 1
        assert 7.0 < time.monotonic() - crashed < 15.0
        assert not a.elector.is_valid()
    finally:
        await a.end()
        if b is not None:
            await b.end()


async def test_s6_the_api_server_itself_proves_absence(client: ApiClient, namespace: str) -> None:
    for resource in (paths.PODS, paths.JOBS, paths.LEASES):
        # The operator may read Leases in its own namespace only.
        place = SYSTEM_NAMESPACE if resource is paths.LEASES else namespace
        path = paths.resource_path(resource, namespace=place, name="nobody")
        answer = await client.request("GET", path)
        assert parse_status(answer.status, answer.body).proves_absence(resource, "nobody")
