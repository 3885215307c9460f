import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.kube.codecs import requests
from podwright.kube.lease_record import lease_path
from podwright.kube.paths import (
    EVENTS,
    JOBS,
    LEASES,
    NAMESPACES,
    PODS,
    InvalidNameError,
    Resource,
    checked_path,
    resource_path,
)

FORGED = [
    "?watch=1",
    "../../secrets",
    "..",
    ".",
    "a/b",
    "a/../b",
    "a%2fb",
    "a\r\nHost: x",
    "a\n",
    "a#b",
    "a b",
    "A",
    "a_b",
    "-a",
    "a-",
    "a..b",
    "ü",
    "a" * 254,
    "a" * 64 + ".b",
    "\0",
]


@pytest.mark.parametrize(
    ("resource", "place", "path"),
    [
        (PODS, {}, "/api/v1/pods"),
        (PODS, {"namespace": "n"}, "/api/v1/namespaces/n/pods"),
        (PODS, {"namespace": "n", "name": "a.b-1", "subresource": "log"}, "/api/v1/namespaces/n/pods/a.b-1/log"),
        (JOBS, {"namespace": "n", "name": "x"}, "/apis/podwright.dev/v1alpha1/namespaces/n/batchjobs/x"),
        (LEASES, {"namespace": "n", "name": "x"}, "/apis/coordination.k8s.io/v1/namespaces/n/leases/x"),
        (NAMESPACES, {"name": "x"}, "/api/v1/namespaces/x"),
        (EVENTS, {"namespace": "9"}, "/api/v1/namespaces/9/events"),
        (PODS, {"namespace": "n", "name": "a" * 63 + ".b" * 95}, f"/api/v1/namespaces/n/pods/{'a' * 63 + '.b' * 95}"),
    ],
)
def test_paths(resource: Resource, place: dict[str, str], path: str) -> None:
    assert resource_path(resource, **place) == path
    assert checked_path(path) == path


@pytest.mark.parametrize("name", FORGED)
def test_s2_what_is_no_name_becomes_no_path(name: str) -> None:
    for resource in (PODS, JOBS, LEASES):
        with pytest.raises(InvalidNameError, match="not a valid object name"):
            resource_path(resource, namespace="n", name=name)
        with pytest.raises(InvalidNameError, match="not a valid namespace"):
            resource_path(resource, namespace=name, name="x")
    with pytest.raises(InvalidNameError):
        requests.get_job(namespace="n", name=name)
    with pytest.raises(InvalidNameError):
        requests.get_pod(namespace="n", name=name)
    with pytest.raises(InvalidNameError):
        lease_path("n", name)


def test_s2_a_namespace_is_a_label() -> None:
    for namespace in ("a.b", "a" * 64):
        with pytest.raises(InvalidNameError):
            resource_path(PODS, namespace=namespace)


@given(st.text(), st.text())
def test_s2_no_text_makes_another_path(namespace: str, name: str) -> None:
    try:
        path = resource_path(PODS, namespace=namespace, name=name)
    except InvalidNameError:
        return
    parts = path.split("/")
    expected = ["", "api", "v1", *(["namespaces", namespace] if namespace else []), "pods", *([name] if name else [])]
    assert parts == expected
    assert checked_path(path) == path


@pytest.mark.parametrize(
    "path", ["", "/", "/a/", "//a", "a", "/a/../b", "/a/..", "/./a", "/a?b", "/a#b", "/a b", "/a\r\nb", "/a%2e", "/ü"]
)
def test_s2_the_client_sends_no_other_path(path: str) -> None:
    with pytest.raises(InvalidNameError):
        checked_path(path)
