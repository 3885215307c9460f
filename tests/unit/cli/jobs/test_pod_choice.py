from __future__ import annotations

from typing import Any

import pytest

from podwright.cli.errors import CommandError
from podwright.cli.jobs.pod_choice import JobPod, candidates, container_of, unit_of
from tests.unit.cli.jobs.objects import make_job, make_pod

PODS = [
    JobPod.from_object(make_pod(f"{index}-{attempt}", index=index, attempt=attempt), make_job())
    for index, attempt in ((1, 0), (0, 0), (0, 2), (0, 1))
]


@pytest.mark.parametrize(
    ("unit", "attempt", "previous", "names"),
    [
        (None, None, False, {0: ["0-2", "0-1", "0-0"], 1: ["1-0"]}),
        (0, None, False, {0: ["0-2", "0-1", "0-0"]}),
        (0, 1, False, {0: ["0-1"]}),
        (None, None, True, {0: ["0-1", "0-0"]}),
        (1, None, True, {}),
        (7, None, False, {}),
    ],
)
def test_candidates(unit: int | None, attempt: int | None, previous: bool, names: dict[int, list[str]]) -> None:
    found = candidates(PODS, unit=unit, attempt=attempt, previous=previous)
    assert {each: [pod.name for pod in pods] for each, pods in found.items()} == names


@pytest.mark.parametrize(
    ("array", "task", "unit"),
    [
        (None, None, None),
        (None, 0, 0),
        ({"size": 10}, 7, 7),
        ({"size": 10, "pack": 4}, 7, 1),
        ({"items": ["a", "b"]}, 1, 1),
        ({"size": 100, "indexes": "50-59", "pack": 10}, 55, 5),
    ],
)
def test_unit_of(array: Any, task: int | None, unit: int | None) -> None:
    assert unit_of(make_job(**({} if array is None else {"array": array})), task) == unit


@pytest.mark.parametrize(("array", "task"), [(None, 1), ({"size": 3}, 3), ({"size": 100, "indexes": "1-2"}, 3)])
def test_a_task_that_is_not_there(array: Any, task: int) -> None:
    with pytest.raises(CommandError, match=r"no task|not an array"):
        unit_of(make_job(**({} if array is None else {"array": array})), task)


def test_the_container_is_the_first_unless_named() -> None:
    assert container_of(PODS[0], "") == "main"
    assert container_of(PODS[0], "sidecar") == "sidecar"
    prepared = make_pod()
    prepared["spec"]["initContainers"] = [{"name": "fetch"}]
    assert container_of(JobPod.from_object(prepared, make_job()), "fetch") == "fetch"
    assert container_of(JobPod.from_object(prepared, make_job()), "") == "main"
    with pytest.raises(CommandError, match="has main, sidecar"):
        container_of(PODS[0], "other")


@pytest.mark.parametrize(
    ("annotation", "template", "chosen"),
    [
        pytest.param("", ["main", "helper"], "main", id="B24 the template's first, not the injected one"),
        pytest.param("helper", ["main", "helper"], "helper", id="B24 as kubectl chooses"),
        pytest.param("gone", ["main"], "main", id="an annotation that names none"),
        pytest.param("", [], "proxy", id="no template to look at"),
    ],
)
def test_the_default_container(annotation: str, template: list[str], chosen: str) -> None:
    pod = make_pod()
    pod["spec"]["containers"] = [{"name": name} for name in ("proxy", "main", "helper")]
    if annotation:
        pod["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": annotation}
    job = make_job(template={"spec": {"containers": [{"name": name} for name in template]}})
    assert container_of(JobPod.from_object(pod, job), "") == chosen
