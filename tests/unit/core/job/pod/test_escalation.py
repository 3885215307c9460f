"""More memory after running out of it: exact, bounded, never less."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.job.pod.escalation import escalation_problem, with_more
from podwright.core.spec import Escalation
from podwright.core.values.quantity import parse_quantity


def escalated(resources: dict[str, Any], *, escalation: Escalation, times: int) -> Any:
    """Return the resources of the only container of a pod after the growth."""
    spec = with_more({"containers": [{"resources": resources}]}, escalation=escalation, times=times)
    return spec["containers"][0]["resources"]


@pytest.mark.parametrize(
    ("memory", "factor", "most", "times", "want"),
    [
        ("256Mi", 1.5, "16Gi", 0, "256Mi"),
        ("256Mi", 1.5, "16Gi", 1, "384Mi"),
        ("256Mi", 1.5, "16Gi", 2, "576Mi"),
        ("1Gi", 2, "3Gi", 1, "2Gi"),
        ("1Gi", 2, "3Gi", 2, "3Gi"),
        ("1Gi", 2, "3Gi", 100_000, "3Gi"),
        ("4Gi", 2, "3Gi", 1, "4Gi"),
        ("3Gi", 2, "3Gi", 1, "3Gi"),
        ("100", 1.01, "1Gi", 1, "101"),
        ("101", 1.01, "1Gi", 1, "103"),
        ("100M", 1.1, "1G", 1, "110000000"),
        (1024, 2, "1Gi", 1, "2Ki"),
        ("lots", 2, "1Gi", 1, "lots"),
        ("1Gi", 2, "lots", 1, "1Gi"),
    ],
)
def test_memory(memory: Any, factor: float, most: str, times: int, want: Any) -> None:
    escalation = Escalation(factor=factor, max_memory=most)
    given_resources = {"limits": {"memory": memory, "cpu": "1"}, "requests": {"memory": memory}, "claims": []}
    got = escalated(given_resources, escalation=escalation, times=times)
    assert got == {"limits": {"memory": want, "cpu": "1"}, "requests": {"memory": want}, "claims": []}
    assert given_resources["limits"] == {"memory": memory, "cpu": "1"}, "the template's own stays as it is"


@pytest.mark.parametrize(
    ("cpu", "most", "want"),
    [("1", "8", "1500m"), ("2", "8", "3"), ("100m", "8", "150m"), ("7", "8", "8"), ("1", "", "1")],
)
def test_cpu_grows_only_if_it_has_a_maximum(cpu: str, most: str, want: str) -> None:
    escalation = Escalation(factor=1.5, max_memory="1Gi", max_cpu=most)
    assert escalated({"requests": {"cpu": cpu}}, escalation=escalation, times=1) == {"requests": {"cpu": want}}


def test_what_is_not_set_stays_unset() -> None:
    escalation = Escalation(factor=2, max_memory="1Gi", max_cpu="4")
    assert escalated({}, escalation=escalation, times=3) == {}
    assert escalated({"limits": None}, escalation=escalation, times=3) == {"limits": None}


@given(
    request=st.integers(1, 2**40),
    more=st.integers(0, 2**40),
    factor=st.decimals("1.01", "10", places=2),
    most=st.integers(1, 2**42),
    times=st.integers(0, 50),
)
def test_a_request_never_exceeds_its_limit_nor_shrinks(
    request: int, more: int, factor: Any, most: int, times: int
) -> None:
    escalation = Escalation(factor=float(factor), max_memory=str(most))
    resources = {"requests": {"memory": request}, "limits": {"memory": request + more}}
    got = escalated(resources, escalation=escalation, times=times)
    new_request, new_limit = (parse_quantity(str(got[kind]["memory"])) for kind in ("requests", "limits"))
    assert request <= new_request <= new_limit <= max(most, request + more)


def memory(amount: str) -> dict[str, Any]:
    return {"limits": {"memory": amount}}


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        pytest.param(
            {
                "initContainers": [{"name": "fetch", "resources": memory("32Mi")}],
                "containers": [{"name": "main", "resources": memory("64Mi")}],
            },
            {
                "initContainers": [{"name": "fetch", "resources": memory("128Mi")}],
                "containers": [{"name": "main", "resources": memory("256Mi")}],
            },
            id="B11 init containers grow too",
        ),
        pytest.param(
            {
                "initContainers": [{"name": "log", "restartPolicy": "Always", "resources": memory("32Mi")}],
                "containers": [{"name": "main"}],
            },
            {
                "initContainers": [{"name": "log", "restartPolicy": "Always", "resources": memory("128Mi")}],
                "containers": [{"name": "main"}],
            },
            id="B11 native sidecars grow too",
        ),
        pytest.param(
            {"resources": memory("64Mi"), "containers": [{"name": "main", "resources": memory("64Mi")}]},
            {"resources": memory("256Mi"), "containers": [{"name": "main", "resources": memory("256Mi")}]},
            id="B16 the pod grows in step with its containers",
        ),
        pytest.param(
            {"resources": memory("64Mi"), "containers": [{"name": "main"}]},
            {"resources": memory("256Mi"), "containers": [{"name": "main"}]},
            id="B16 the pod alone grows",
        ),
        pytest.param(
            {
                "resources": {"requests": {"memory": "256Mi"}},
                "containers": [{"name": name, "resources": {"requests": {"memory": "128Mi"}}} for name in "ab"],
            },
            {
                "resources": {"requests": {"memory": "512Mi"}},
                "containers": [{"name": name, "resources": {"requests": {"memory": "256Mi"}}} for name in "ab"],
            },
            id="B16 containers grow no more than the pod's maximum allows",
        ),
        pytest.param(
            {"resources": memory("1Gi"), "containers": [{"name": "main", "resources": memory("64Mi")}]},
            {"resources": memory("1Gi"), "containers": [{"name": "main", "resources": memory("64Mi")}]},
            id="B16 a pod above the maximum keeps what it has",
        ),
    ],
)
def test_all_containers_and_the_pod_grow(spec: dict[str, Any], want: dict[str, Any]) -> None:
    escalation = Escalation(factor=4, max_memory="512Mi")
    assert with_more(spec, escalation=escalation, times=1) == want


@given(
    amounts=st.lists(st.integers(1, 2**32), min_size=1, max_size=4),
    spare=st.integers(0, 2**32),
    factor=st.decimals("1.01", "10", places=2),
    most=st.integers(1, 2**34),
    times=st.integers(1, 20),
)
def test_b16_containers_never_outgrow_their_pod(
    amounts: list[int], spare: int, factor: Any, most: int, times: int
) -> None:
    """The API server refuses such a pod for good."""
    spec = {
        "resources": {"requests": {"memory": str(sum(amounts) + spare)}},
        "containers": [{"resources": {"requests": {"memory": str(amount)}}} for amount in amounts],
    }
    grown = with_more(spec, escalation=Escalation(factor=float(factor), max_memory=str(most)), times=times)
    of_pod = parse_quantity(grown["resources"]["requests"]["memory"])
    of_containers = [parse_quantity(each["resources"]["requests"]["memory"]) for each in grown["containers"]]
    assert sum(of_containers) <= of_pod <= max(most, sum(amounts) + spare)
    assert all(new >= old for new, old in zip(of_containers, amounts, strict=True))


def test_b18_nothing_to_grow_is_said() -> None:
    problem = escalation_problem({"containers": [{"name": "main", "resources": {"limits": {"cpu": 1}}}]})
    assert "nothing to grow" in problem
    assert "resources.limits.memory" in problem
    for holder in ({"resources": memory("1Gi")}, {"initContainers": [{"resources": memory("1Gi")}]}):
        assert escalation_problem({"containers": [{}], **holder}) == ""
