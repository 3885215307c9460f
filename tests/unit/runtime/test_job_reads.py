"""Reads of a job and of its pods against a scripted server."""

from aiohttp import web

from podwright.core.values.ref import JOB, Ref
from podwright.kube.paging import MOST_BYTES
from podwright.runtime.controllers.job_reads import JobReads
from podwright.store.jobs import JobStore
from tests.support.builders import make_job
from tests.unit.kube.objects import dumps, list_json, owner, pod_json
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
