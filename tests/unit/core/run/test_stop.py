"""Which stop is called for, and which of several wins."""

from typing import Any

import pytest

from podwright.core.model.phase import Phase
from podwright.core.run.stop import Stop, recorded_stop, stop_grace, wanted_stop
from podwright.core.spec import CancelMode
from tests.support.builders import CREATED, make_job, with_status

LATE = CREATED + 1000


@pytest.mark.parametrize(
    ("spec", "status", "want"),
    [
        ({}, {}, None),
        ({"suspend": True}, {}, Stop.SUSPENDED),
        ({"cancel": CancelMode.GRACEFUL}, {}, Stop.CANCELLED),
        ({"cancel": CancelMode.IMMEDIATE, "suspend": True, "total_timeout": 1.0}, {}, Stop.CANCELLED),
        ({"total_timeout": 1000.0}, {}, Stop.TOTAL_TIMEOUT),
        ({"total_timeout": 1001.0}, {}, None),
        ({"total_timeout": 1.0, "suspend": True}, {}, Stop.SUSPENDED),
        ({"total_timeout": 1.0}, {"phase": Phase.SUSPENDED}, None),
        ({"total_timeout": 1.0}, {"phase": Phase.RUNNING, "started": LATE}, None),
        ({}, {"phase": Phase.STOPPING, "reason": "TotalTimeout"}, Stop.TOTAL_TIMEOUT),
        ({"suspend": True}, {"phase": Phase.STOPPING, "reason": "Cancelled"}, Stop.CANCELLED),
        ({}, {"phase": Phase.STOPPING, "reason": "Suspended"}, None),
    ],
    ids=[
        "nothing",
        "suspended",
        "cancelled",
        "cancelling beats all",
        "out of time",
        "in time",
        "suspending stops the clock",
        "a suspended job has no deadline",
        "a resumed job has a new one",
        "a recorded timeout stays although the limit was lifted",
        "a recorded cancellation stays",
        "a suspension may be taken back",
    ],
)
def test_wanted(spec: dict[str, Any], status: dict[str, Any], want: Stop | None) -> None:
    assert wanted_stop(job=with_status(make_job(**spec), **status), now=LATE) is want


def test_only_a_stopping_job_has_a_recorded_stop() -> None:
    assert recorded_stop(with_status(make_job(), phase=Phase.SUSPENDED, reason="Suspended")) is None
    assert recorded_stop(with_status(make_job(), phase=Phase.STOPPING, reason="Suspended")) is Stop.SUSPENDED
    assert recorded_stop(with_status(make_job(), phase=Phase.STOPPING, reason="whatever")) is None


@pytest.mark.parametrize(
    ("mode", "stop", "want"),
    [
        (CancelMode.GRACEFUL, Stop.CANCELLED, None),
        (CancelMode.IMMEDIATE, Stop.CANCELLED, 1),
        (CancelMode.IMMEDIATE, Stop.SUSPENDED, None),
        (None, Stop.TOTAL_TIMEOUT, None),
    ],
)
def test_grace(mode: CancelMode | None, stop: Stop, want: int | None) -> None:
    assert stop_grace(job=make_job(cancel=mode), stop=stop) == want
