"""Reading a job and its pods from the API server itself, where the cache may be old and a decision hangs on it.

What is read goes into the store like any event. A pod that turns out to be somebody else's is recorded as a name collision; one that
the record calls started, and that the API server surely does not have, as gone.
"""

from collections.abc import Callable
from functools import partial

from podwright.core.attempt.ending import current_number
from podwright.core.constants.names import parse_pod_name
from podwright.core.job.at_most_once import recorded_intent
from podwright.core.model.attempt import Refusal, RefusalKind
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView, stand_in_uid
from podwright.core.model.units import units_of
from podwright.core.values.ref import JOB, Ref
from podwright.kube.codecs import requests as encode
from podwright.kube.codecs.answer import decode_job, decode_pod
from podwright.kube.codecs.page import PODS as POD_DECODER
from podwright.kube.errors import parse_status
from podwright.kube.paging import PageLimit
from podwright.kube.paths import JOBS, PODS
from podwright.runtime.controllers.controller import Engine
from podwright.runtime.keys import Keys
from podwright.runtime.pages import read_page
from podwright.runtime.read_places import ReadPlaces
from podwright.runtime.writer import Send
from podwright.store.job_expectations import JobExpectations
from podwright.store.jobs import JobStore


class JobReads:
    """Made once per controller of jobs."""

    def __init__(self, *, send: Send, store: JobStore, clock: Callable[[], float]) -> None:
        self._send = send
        self._store = store
        self._clock = clock

    async def read_self(self, ref: Ref, *, namespace: str, name: str) -> None:
        """Read a job, which may be gone.

        Raises:
            Exception: it could not be read.
        """
        uid = ref.uid
        answer = await self._send(encode.get_job(namespace=namespace, name=name))
        if answer.status != 200:
            error = parse_status(answer.status, answer.body)
            if not error.proves_absence(JOBS, name):
                raise error
            self._store.remove_job(uid)
            return
        job = decode_job(answer.body)
        if job.uid != uid:
            self._store.remove_job(uid)  # a namesake has taken its place
        self._store.put_job(job)

    async def relist_children(self, ref: Ref, *, namespace: str) -> None:
        """Read all pods of a job, as `read_self` does."""
        uid = ref.uid
        found: list[PodView] = []
        limit = PageLimit()
        token = ""
        while True:
            request = partial(encode.list_pods_of_job, namespace=namespace, job_uid=uid, continue_token=token)
            page = POD_DECODER.page(await read_page(self._send, request, limit=limit))
            # The label is for finding only: the controller reference says whose a pod is.
            found += [pod for pod in page.items if isinstance(pod, PodView) and pod.job_uid == uid]
            token = page.continue_token
            if not token:
                break
        self._store.put_all_pods(uid, found)

    async def read_child(self, ref: Ref, *, namespace: str, name: str, expectations: JobExpectations) -> None:
        """Read a pod of a job, as `read_self` does."""
        uid, store = ref.uid, self._store
        answer = await self._send(encode.get_pod(namespace=namespace, name=name))
        pod: PodView | None = None
        if answer.status == 200:
            pod = decode_pod(answer.body)
        elif not (error := parse_status(answer.status, answer.body)).proves_absence(PODS, name):
            raise error
        if pod is not None and pod.job_uid != uid and any(known.uid == pod.uid for known in store.pods(uid)):
            expectations.child_was_read(name, found=True)
            store.lose_sight(pod)  # whose it is can't change: it lost all its marks
            return
        if pod is not None and pod.job_uid != uid and name in expectations.taken and name not in expectations.children:
            parsed = parse_pod_name(name)
            expectations.pod_not_created(0 if parsed is None else parsed[0])  # the name was somebody else's
        expectations.child_was_read(name, found=pod is not None and pod.job_uid == uid)
        for known in store.pods(uid):
            if known.name == name and (pod is None or pod.uid != known.uid):
                store.remove_pod(known)
        job = store.job(uid)
        if pod is not None and pod.job_uid == uid:
            store.put_pod(pod)
            return
        now = self._clock()
        if job is not None and job.array is not None:
            _record_vanished_unit(store=store, job=job, name=name, expectations=expectations, now=now)
        elif not (_is_only_intended(job) and (expectations.is_unasked or now < expectations.creation_until)):
            _record_vanished(store=store, job=job, name=name)
        if pod is not None and job is not None:
            index, attempt = parse_pod_name(name) or (0, current_number(job.status))
            expectations.refusal = Refusal(
                task_index=index,
                attempt=attempt,
                kind=RefusalKind.COLLISION,
                reason="NameCollision",
                message=f"a pod named {name} exists that this job does not control; delete or rename it",
                at=now,
                count=1,
            )


class KeyReads:
    """Reads who holds an idempotency key. Made once per controller of jobs."""

    def __init__(self, *, keys: Keys, places: ReadPlaces, engine: Engine, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._places = places
        self._engine = engine
        self._clock = clock

    def start(self, job: JobView, *, expectations: JobExpectations) -> None:
        """Ask who holds the job's key, unless that is being asked, or was a moment ago."""
        lease = self._keys.lease_of(job)
        if self._keys.is_known(lease, now=self._clock()):
            expectations.key_doubtful = False
            self._engine.mark(job.ref)
        elif self._keys.take_turn(lease, job.uid):
            expectations.begin(None)
            read = partial(self._read, job, lease=lease, expectations=expectations)
            self._places.start(read, namespace=job.namespace)

    async def _read(self, job: JobView, *, lease: str, expectations: JobExpectations) -> None:
        failed = await self._keys.read_claim(job, expectations=expectations, now=self._clock)
        expectations.end(None)
        if failed is None:
            expectations.key_doubtful = False
        else:
            self._engine.put_off(job.ref)
        for uid in self._keys.end_turn(lease):
            self._engine.mark(Ref(JOB, uid))
        self._engine.mark(job.ref)


def _is_only_intended(job: JobView | None) -> bool:
    return job is not None and recorded_intent(job.status) is not None


def _record_vanished_unit(
    *, store: JobStore, job: JobView, name: str, expectations: JobExpectations, now: float
) -> None:
    """Put the pod of a unit into the store as gone, if the unit is on record as started and not by us just now."""
    parsed = parse_pod_name(name)
    if parsed is None or job.array is None or job.status.array is None:
        return
    unit, attempt = parsed
    if unit not in job.status.array.started or now < expectations.late_creation_until:
        return
    if expectations.intents is not None and unit in expectations.intents.units:
        return
    if attempt < units_of(job.status.array).attempts(unit):
        return
    store.remove_pod(
        PodView(
            uid=stand_in_uid(job_uid=job.uid, name=name),
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


def _record_vanished(*, store: JobStore, job: JobView | None, name: str) -> None:
    """Put the pod of an attempt that status calls ongoing into the store as gone, so that it is judged as lost."""
    if job is None or not job.status.attempts:
        return
    last = job.status.attempts[-1]
    if last.pod_name != name or last.outcome is not None:
        return
    store.remove_pod(
        PodView(
            uid=last.pod_uid or stand_in_uid(job_uid=job.uid, name=name),
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
