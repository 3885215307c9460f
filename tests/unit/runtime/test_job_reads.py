"""Reads of a job and of its pods against a scripted server."""

import msgspec
import pytest
from aiohttp import web

from podwright.core.values.ref import JOB, Ref
from podwright.kube.paging import MOST_BYTES
from podwright.runtime.controllers.job_reads import JobReads
from podwright.store.jobs import JobStore
from tests.support.builders import make_job
from tests.unit.kube.objects import dumps, job_json, list_json, owner, pod_json, status_json
from tests.unit.kube.server import client_of


async def test_s22_large_pods_of_a_job_are_read_in_small_pages() -> None:
    """An array's pods may be of a megabyte each, as a tenant's template is; one answer must not hold all of them."""
    job = make_job(uid="job-uid")
    pods = [
        dumps(pod_json(name=f"job-bd1b6ef549-{n}", annotations={"x": "a" * 900_000}, ownerReferences=[owner()]))
        for n in range(20)
    ]
    read: list[int] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        start, limit = int(request.query.get("continue", "0")), int(request.query["limit"])
        end = min(len(pods), start + limit)
        empty = dumps(list_json([], kind="Pod", token=str(end) if end < len(pods) else ""))
        body = empty.replace(b"[]", b"[" + b",".join(pods[start:end]) + b"]")
        read.append(len(body))
        return web.Response(body=body)

    store = JobStore(on_change=lambda uid: None)
    store.put_job(job)
    async with client_of(handler) as client:
        reads = JobReads(send=client.send, store=store, clock=lambda: 0.0)
        await reads.relist_children(Ref(JOB, job.uid), namespace="default")
    assert len(store.pods(job.uid)) == len(pods)
    assert [size for size in read if size > MOST_BYTES] == read[:1], "only the first page was too large, and given up"


LARGE = msgspec.json.encode({"spec": {"containers": [{"name": "main", "image": "a" * 20_000}]}})


@pytest.mark.parametrize(
    ("template", "version", "listed", "whole"),
    [
        pytest.param(LARGE, 5, {"resourceVersion": "5"}, 0, id="L4 a large job that has not changed"),
        pytest.param(LARGE, 4, {"resourceVersion": "5"}, 1, id="a large job that has changed"),
        pytest.param(
            LARGE, 5, {"resourceVersion": "5", "uid": "other"}, 1, id="a large job whose name another has now"
        ),
        pytest.param(LARGE, 5, None, 1, id="a large job that is not listed"),
        pytest.param(
            b"{}", 5, {"resourceVersion": "5"}, 1, id="a small job, for which two reads would be more than one"
        ),
    ],
)
async def test_a_job_is_read_whole_unless_it_is_large_and_unchanged(
    template: bytes, version: int, listed: dict[str, str] | None, whole: int
) -> None:
    """For the API server, reading a large job takes ten times as long as telling its version."""
    read: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/batchjobs"):
            assert request.query == {"fieldSelector": "metadata.name=job"}
            assert "as=PartialObjectMetadataList" in request.headers["Accept"]
            items = [] if listed is None else [{"metadata": {"uid": "uid-of-job", **listed}}]
            return web.Response(body=dumps(list_json(items, kind="PartialObjectMetadata")))
        read.append(request.path)
        return web.Response(body=dumps(job_json(resourceVersion="5")))

    store = JobStore(on_change=lambda uid: None)
    store.put_job(
        make_job(
            uid="uid-of-job",
            resource_version=version,
            template=template,
            size=len(template) if template is LARGE else 0,
        )
    )
    async with client_of(handler) as client:
        reads = JobReads(send=client.send, store=store, clock=lambda: 0.0)
        await reads.read_self(Ref(JOB, "uid-of-job"), namespace="default", name="job")
    assert len(read) == whole
    job = store.job("uid-of-job")
    assert job is not None
    assert job.resource_version == 5


@pytest.mark.parametrize("status", [200, 403, 404, 500])
async def test_a_refused_list_of_metadata_proves_nothing_of_a_large_job(status: int) -> None:
    """Nor does one that is no list, as a proxy may answer."""
    read: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/batchjobs"):
            return web.Response(status=status, body=dumps(status_json(status, reason="Refused", message="no")))
        read.append(request.path)
        return web.Response(body=dumps(job_json(resourceVersion="6")))

    store = JobStore(on_change=lambda uid: None)
    store.put_job(make_job(uid="uid-of-job", resource_version=5, template=LARGE, size=len(LARGE)))
    async with client_of(handler) as client:
        reads = JobReads(send=client.send, store=store, clock=lambda: 0.0)
        await reads.read_self(Ref(JOB, "uid-of-job"), namespace="default", name="job")
    job = store.job("uid-of-job")
    assert job is not None
    assert (len(read), job.resource_version) == (1, 6)
