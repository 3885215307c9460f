"""Reading single objects from the API server itself, where the cache may be old and a decision hangs on it.

The answer goes into the store like any event. A pod that turns out to be somebody else's is noted as a name collision.
"""

import asyncio
import logging
from collections.abc import Callable, Collection

from podwright.core.attempt.ending import current_number
from podwright.core.constants.names import parse_pod_name
from podwright.core.job.array.units import units_of
from podwright.core.job.at_most_once import recorded_intent
from podwright.core.view import JobView, PodView, Refusal, RefusalKind
from podwright.kube.codecs import requests as encode
from podwright.kube.codecs.page import PODS as POD_DECODER
from podwright.kube.codecs.page import decode_job, decode_pod
from podwright.kube.errors import parse_status
from podwright.kube.paths import JOBS, PODS
from podwright.runtime.writer import Send
from podwright.store.jobs import JobStore
from podwright.store.notes import Notes

_log = logging.getLogger(__name__)


class Reads:
    """Carries out the reads that a job's doubts ask for, a bounded number at once."""

    def __init__(self, *, send: Send, at_once: int = 32) -> None:
        self._send = send
        self._places = asyncio.Semaphore(at_once)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self,
        *,
        store: JobStore,
        uid: str,
        namespace: str,
        job_name: str,
        job: bool,
        pods: Collection[str],
        notes: Notes,
        now: Callable[[], float],
        done: Callable[[Exception | None], None],
    ) -> None:
        """Read the job, if `job` says so, and the pods of these names; tell `done`, with the error if one could not be read."""

        async def run() -> None:
            error: Exception | None = None
            try:
                async with self._places:
                    if job:
                        await self._read_job(store=store, uid=uid, namespace=namespace, name=job_name)
                    if notes.pods_unlisted:
                        await self._list_pods(store=store, uid=uid, namespace=namespace)
                    for name in pods:
                        await self._read_pod(
                            store=store, uid=uid, namespace=namespace, name=name, notes=notes, now=now()
                        )
            except Exception as problem:
                # An error of ours as well: whatever went wrong, the job waits for an answer, and would for ever.
                error = problem
                _log.warning("cannot read job %s/%s or its pods: %r", namespace, job_name, problem)
            done(error)

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read_job(self, *, store: JobStore, uid: str, namespace: str, name: str) -> None:
        answer = await self._send(encode.get_job(namespace=namespace, name=name))
        if answer.status != 200:
            error = parse_status(answer.status, answer.body)
            if not error.proves_absence(JOBS, name):
                raise error
            store.remove_job(uid)
            return
        job = decode_job(answer.body)
        if job.uid == uid:
            store.put_job(job)
        else:
            store.remove_job(uid)  # a namesake has taken its place
            store.put_job(job)

    async def _list_pods(self, *, store: JobStore, uid: str, namespace: str) -> None:
        found: list[PodView] = []
        token = ""
        while True:
            answer = await self._send(encode.list_pods_of_job(namespace=namespace, job_uid=uid, continue_token=token))
            if answer.status != 200:
                raise parse_status(answer.status, answer.body)
            page = POD_DECODER.page(answer.body)
            # The label is for finding only: the controller reference says whose a pod is.
            found += [pod for pod in page.items if isinstance(pod, PodView) and pod.job_uid == uid]
            token = page.continue_token
            if not token:
                break
        store.put_all_pods(uid, found)

    async def _read_pod(
        self, *, store: JobStore, uid: str, namespace: str, name: str, notes: Notes, now: float
    ) -> None:
        answer = await self._send(encode.get_pod(namespace=namespace, name=name))
        pod: PodView | None = None
        if answer.status == 200:
            pod = decode_pod(answer.body)
        elif not (error := parse_status(answer.status, answer.body)).proves_absence(PODS, name):
            raise error
        notes.looked_for(name, found=pod is not None and pod.job_uid == uid)
        for known in store.pods(uid):
            if known.name == name and (pod is None or pod.uid != known.uid):
                store.remove_pod(known)
        job = store.job(uid)
        if pod is not None and pod.job_uid == uid:
            store.put_pod(pod)
            return
        if job is not None and job.array is not None:
            _note_vanished_unit(store=store, job=job, name=name, notes=notes, now=now)
        elif not (_is_only_intended(job) and (notes.is_unasked or now < notes.creation_until)):
            _note_vanished(store=store, job=job, name=name)
        if pod is not None and job is not None:
            index, attempt = parse_pod_name(name) or (0, current_number(job.status))
            notes.refusal = Refusal(
                task_index=index,
                attempt=attempt,
                kind=RefusalKind.COLLISION,
                reason="NameCollision",
                message=f"a pod named {name} exists that this job does not control; delete or rename it",
                at=now,
                count=1,
            )


def _is_only_intended(job: JobView | None) -> bool:
    return job is not None and recorded_intent(job.status) is not None


def _note_vanished_unit(*, store: JobStore, job: JobView, name: str, notes: Notes, now: float) -> None:
    """Put the pod of a unit into the store as gone, if the unit is on record as started and not by us just now."""
    parsed = parse_pod_name(name)
    if parsed is None or job.array is None or job.status.array is None:
        return
    unit, attempt = parsed
    awaited = max((*notes.missing.values(), *notes.unanswered.values()), default=0.0)
    if unit not in job.status.array.started or unit in notes.intents.units or now < awaited:
        return
    if attempt < units_of(job.status.array).attempts(unit):
        return
    store.remove_pod(
        PodView(
            uid=f"{job.uid}/{name}",
            namespace=job.namespace,
            name=name,
            resource_version=0,
            job_uid=job.uid,
            job_name=job.name,
            task_index=unit,
            attempt=attempt,
            created=job.created,
            held=False,
            node="unknown",
        )
    )


def _note_vanished(*, store: JobStore, job: JobView | None, name: str) -> None:
    """Put the pod of an attempt that status calls ongoing into the store as gone, so that it is judged as lost."""
    if job is None or not job.status.attempts:
        return
    last = job.status.attempts[-1]
    if last.pod_name != name or last.outcome is not None:
        return
    store.remove_pod(
        PodView(
            uid=last.pod_uid,
            namespace=job.namespace,
            name=name,
            resource_version=0,
            job_uid=job.uid,
            job_name=job.name,
            task_index=0,
            attempt=last.number,
            created=job.created,
            held=False,
            node=last.node or "unknown",
            started=last.started,
        )
    )
