from __future__ import annotations

from typing import Any

import pytest

from podwright.cli.jobs.pod_check import _pod, _reasons
from podwright.kube.errors import Cause, StatusError

TEMPLATE: Any = {
    "metadata": {"labels": {"team": "x", "podwright.dev/shard": "0"}},
    "spec": {"containers": [{"name": "main", "image": "a", "comand": []}]},
}
FIELD = "spec.template.spec.containers[0]"


@pytest.mark.parametrize(
    ("error", "reasons"),
    [
        pytest.param(
            StatusError(code=400, reason="BadRequest", message='strict decoding error: unknown field "spec.containers[0].comand"'),
            [f"{FIELD}.comand: unknown field; did you mean command?"],
            id="U9 a typo",
        ),
        pytest.param(
            StatusError(code=400, reason="BadRequest", message='strict decoding error: unknown field "spec.containers[0].xyzzy"'),
            [f"{FIELD}.xyzzy: unknown field"],
            id="U9 a field that nobody knows",
        ),
        pytest.param(
            StatusError(
                code=422,
                reason="Invalid",
                message="Pod is invalid",
                causes=(Cause(reason="FieldValueRequired", field="spec.containers[0].name", message="Required value"),),
            ),
            [f"{FIELD}.name: Required value"],
            id="U9 a value",
        ),
        pytest.param(
            StatusError(code=403, reason="Forbidden", message="pods is forbidden: exceeded quota: q"), [], id="time may heal it"
        ),
        pytest.param(
            StatusError(code=403, reason="Forbidden", message='User "u" cannot create resource "pods"'), [], id="we may not ask"
        ),
        pytest.param(
            StatusError(
                code=403, reason="Forbidden", message='pods "p" is forbidden: violates PodSecurity "restricted:latest": privileged'
            ),
            ['spec.template: violates PodSecurity "restricted:latest": privileged'],
            id="Pod Security",
        ),
        pytest.param(StatusError(code=500, reason="InternalError", message="etcd"), [], id="a server in trouble"),
    ],
)  # fmt: skip
def test_what_a_refusal_of_the_pod_says_of_the_job(error: StatusError, reasons: list[str]) -> None:
    assert _reasons(error, TEMPLATE) == reasons


def test_the_pod_that_is_tried_has_none_of_our_marks() -> None:
    pod = _pod(TEMPLATE)
    assert pod["metadata"]["labels"] == {"team": "x"}
    assert pod["spec"]["restartPolicy"] == "Never"
