"""Jobs of one namespace, as their user sees them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from podwright.core.constants.names import pod_name
from tests.cluster.manifests import make_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.api import Api


class Jobs:
    """Submits jobs to a namespace and looks at them."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self.namespace = namespace

    def submit(self, name: str, *, script: dict[str, str] | None = None, **spec: Any) -> None:
        """Submit a job whose pods play a script on the fake nodes."""
        job = make_job(namespace=self.namespace, name=name, **spec)
        metadata = job["spec"]["template"].setdefault("metadata", {})
        metadata["annotations"] = {f"fake.podwright.dev/{key}": value for key, value in (script or {}).items()}
        self._api.create(job).expect()

    def edit(self, name: str, **spec: Any) -> None:
        """Change fields of a job's spec."""
        self._api.patch("BatchJob", self.namespace, name, {"spec": spec}).expect()

    def annotate(self, name: str, annotations: dict[str, str]) -> None:
        """Put annotations on a job."""
        self._api.patch("BatchJob", self.namespace, name, {"metadata": {"annotations": annotations}}).expect()

    def status(self, name: str) -> dict[str, Any]:
        """Return the status of a job."""
        status: dict[str, Any] = self._api.get("BatchJob", self.namespace, name).expect()["status"]
        return status

    def pods(self, name: str) -> list[dict[str, Any]]:
        """Return the pods of a job that are there."""
        answer = self._api.list("Pod", self.namespace, labelSelector=f"podwright.dev/job={name}").expect()
        pods: list[dict[str, Any]] = answer["items"]
        return pods

    def patch_pod_status(self, pod: str, status: dict[str, Any]) -> None:
        """Change fields of a pod's status, as its kubelet."""
        self._api.patch("Pod", self.namespace, pod, {"status": status}, subresource="status").expect()

    def squat(self, name: str) -> None:
        """Create a pod that is nobody's under the name of the first pod of a job."""
        uid = self._api.get("BatchJob", self.namespace, name).expect()["metadata"]["uid"]
        squatter = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": pod_name(job_name=name, job_uid=uid, task_index=0, attempt=0),
                "namespace": self.namespace,
            },
            "spec": {"containers": [{"name": "main", "image": "busybox:1"}]},
        }
        self._api.create(squatter).expect()

    def wait_for(
        self, name: str, condition: Callable[[dict[str, Any]], bool], *, seconds: float = 30.0
    ) -> dict[str, Any]:
        """Wait until a job's status fulfils a condition, and give it.

        Raises:
            AssertionError: it took too long.
        """
        until = time.monotonic() + seconds
        while not condition(status := self.status(name)):
            assert time.monotonic() < until, status
            time.sleep(0.05)
        return status

    def wait_until_over(self, name: str, *, seconds: float = 30.0) -> dict[str, Any]:
        """Wait for the end of a job and give its status."""
        return self.wait_for(name, lambda status: "finishTime" in status, seconds=seconds)
