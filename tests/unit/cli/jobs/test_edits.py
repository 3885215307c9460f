from __future__ import annotations

from typing import Any

import pytest

from podwright.cli.jobs.edits import Edit, nothing_to_do
from tests.unit.cli.jobs.objects import make_job

CANCEL = Edit(verb="cancel", spec={"cancel": "Graceful"}, done="cancelled")
AT_ONCE = Edit(verb="cancel", spec={"cancel": "Immediate"}, done="cancelled")
SUSPEND = Edit(verb="suspend", spec={"suspend": True}, done="suspended")
RESUME = Edit(verb="resume", spec={"suspend": False}, done="resumed")


@pytest.mark.parametrize(
    ("job", "edit", "said"),
    [
        (make_job(), CANCEL, ""),
        (make_job(phase="Failed"), CANCEL, "has already finished (Failed)"),
        (make_job(cancel="Graceful"), CANCEL, "is already cancelled"),
        (make_job(cancel="Graceful"), AT_ONCE, ""),
        (make_job(cancel="Immediate"), CANCEL, "is already cancelled, immediately"),
        (make_job(), SUSPEND, ""),
        (make_job(suspend=True), SUSPEND, "is already suspended"),
        (make_job(suspend=True), RESUME, ""),
        (make_job(), RESUME, "is already resumed"),
    ],
)
def test_nothing_to_do(job: dict[str, Any], edit: Edit, said: str) -> None:
    assert nothing_to_do(job, edit) == said
