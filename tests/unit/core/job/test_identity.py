"""Whose a pod is: every mark changed alone and together, and no victim ever gets a pod that isn't its own (S1, L1, L6, B4)."""

import itertools
from typing import Any, Final

import msgspec
import pytest

from podwright.core.constants.names import (
    LABEL_ATTEMPT,
    LABEL_JOB,
    LABEL_JOB_UID,
    LABEL_TASK_INDEX,
    array_pod_name,
    pod_name,
)
from podwright.core.job.identity import NOBODY, OWNER_REFERENCE, PodMarks, belongs, identify, lacking
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet
from tests.support.builders import make_job, make_pod

OURS: Final = make_job(uid="uid-ours", name="ours")
VICTIM: Final = make_job(uid="uid-victim", name="victim", namespace="elsewhere")
ARRAY: Final = make_job(uid="uid-array", name="array", array=ArraySpec(size=9, tasks=IndexSet.up_to(9)))


def name_of(job: JobView, *, attempt: int = 0) -> str:
    return pod_name(job_name=job.name, job_uid=job.uid, task_index=0, attempt=attempt)


def marks(job: JobView = OURS, **changes: Any) -> PodMarks:
    """Build the marks of the first pod of a single job."""
    fields: dict[str, Any] = {
        "name": name_of(job),
        "job_uid": job.uid,
        "job_name": job.name,
        "attempt": "0",
        "owner_uid": job.uid,
        "owner_name": job.name,
    }
    return PodMarks(**{**fields, **changes})


def pod_of(marked: PodMarks, *, namespace: str) -> PodView:
    """Build the pod that the decoder would make of such marks."""
    uid, name, index, attempt, lacks = identify(marked)
    return msgspec.structs.replace(
        make_pod(OURS),
        namespace=namespace,
        name=marked.name,
        job_uid=uid,
        job_name=name,
        task_index=index,
        attempt=attempt,
        lacks=lacks,
    )


@pytest.mark.parametrize(
    ("marked", "want"),
    [
        pytest.param(marks(), ("uid-ours", "ours", 0, 0, ()), id="all marks"),
        pytest.param(marks(owner_uid="", owner_name=""), ("uid-ours", "ours", 0, 0, ()), id="L6 no owner"),
        pytest.param(marks(owner_uid="uid-victim"), ("uid-ours", "ours", 0, 0, ()), id="S1 owner of another job"),
        pytest.param(marks(job_uid="uid-victim"), NOBODY, id="label of another job"),
        pytest.param(
            marks(job_uid="uid-victim", owner_uid="uid-victim"), NOBODY, id="L1 label and owner of another job"
        ),
        pytest.param(marks(job_uid="", owner_uid="uid-victim"), NOBODY, id="only the owner of another job"),
        pytest.param(marks(job_uid="", owner_uid=""), NOBODY, id="only a name"),
        pytest.param(marks(name="ours-0"), NOBODY, id="a name that no pod of ours has"),
        pytest.param(marks(name=name_of(OURS, attempt=7)), ("uid-ours", "ours", 0, 7, ()), id="name says attempt"),
        pytest.param(marks(job_uid=""), ("uid-ours", "ours", 0, 0, (LABEL_JOB_UID,)), id="B4 label stripped"),
        pytest.param(
            marks(job_uid="", job_name="", attempt=""),
            ("uid-ours", "ours", 0, 0, (LABEL_JOB, LABEL_JOB_UID, LABEL_ATTEMPT)),
            id="B4 all labels stripped",
        ),
    ],
)
def test_identify(marked: PodMarks, want: tuple[Any, ...]) -> None:
    assert identify(marked) == want


def test_a_pod_of_an_array_has_its_index_in_name_and_label() -> None:
    name = array_pod_name(job_name=ARRAY.name, job_uid=ARRAY.uid, index=4, attempt=2)
    marked = marks(ARRAY, name=name, task_index="4", attempt="2")
    assert identify(marked) == ("uid-array", "array", 4, 2, ())
    assert identify(msgspec.structs.replace(marked, task_index=""))[4] == (LABEL_TASK_INDEX,)
    assert belongs(pod_of(marked, namespace=ARRAY.namespace), ARRAY)


def test_b4_what_a_created_pod_lacks_includes_its_owner() -> None:
    assert lacking(marks()) == ()
    assert lacking(marks(owner_uid="", job_uid="")) == (LABEL_JOB_UID, OWNER_REFERENCE)
    assert lacking(PodMarks(name="a-job-has-no-marks")) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"namespace": "elsewhere"},
        {"name": name_of(make_job(uid="uid-ours", name="another"))},
        {"name": array_pod_name(job_name="ours", job_uid="uid-ours", index=0, attempt=0)},
    ],
    ids=["namespace", "another job's name", "an array's pod"],
)
def test_a_pod_belongs_to_a_job_only_if_namespace_and_recomputed_name_are_right(changes: dict[str, str]) -> None:
    assert belongs(make_pod(OURS), OURS)
    assert not belongs(msgspec.structs.replace(make_pod(OURS), **changes), OURS)


def test_s1_no_combination_of_forged_marks_makes_an_attackers_pod_the_victims() -> None:
    """All marks that a pod in the attacker's namespace could be given, in all combinations, policies or none."""
    jobs = (OURS, VICTIM)
    uids = ("", *(job.uid for job in jobs), "uid-unknown")
    job_names = ("", *(job.name for job in jobs))
    pod_names = (*(name_of(job, attempt=n) for job in jobs for n in (0, 1)), "any")
    forged = 0
    for name, label, owner, job_name in itertools.product(pod_names, uids, uids, job_names):
        marked = marks(name=name, job_uid=label, owner_uid=owner, job_name=job_name)
        pod = pod_of(marked, namespace=OURS.namespace)
        forged += pod.job_uid == VICTIM.uid
        assert not belongs(pod, VICTIM), marked
        if pod.job_uid == OURS.uid:
            assert name in (name_of(OURS), name_of(OURS, attempt=1))
    assert forged, "nothing was forged that the namespace alone keeps out"


def test_s1_in_the_victims_own_namespace_its_names_are_needed() -> None:
    """A pod there becomes the victim's only under a name that holds the hash of its uid, so never one that has another name."""
    neighbour = msgspec.structs.replace(VICTIM, namespace=OURS.namespace)
    for label, owner in itertools.product(("", "uid-ours", "uid-victim"), repeat=2):
        pod = pod_of(marks(job_uid=label, owner_uid=owner), namespace=OURS.namespace)
        assert pod.job_uid != neighbour.uid
