"""When a finished job may go."""

import pytest

from podwright.core.job.phase import Phase
from podwright.core.job.retention import expires_at
from tests.builders import kept_for, make_job, with_status


@pytest.mark.parametrize(
    ("ttl", "finished", "want"), [(None, 10.0, None), (60.0, None, None), (0.0, 10.0, 10.0), (60.0, 10.0, 70.0)]
)
def test_expiry(ttl: float | None, finished: float | None, want: float | None) -> None:
    assert expires_at(with_status(make_job(retention=kept_for(ttl)), finished=finished)) == want


def test_a_dead_letter_stays_until_somebody_deals_with_it() -> None:
    assert expires_at(with_status(make_job(retention=kept_for(0.0)), phase=Phase.DEAD_LETTERED, finished=10.0)) is None
