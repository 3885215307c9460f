"""By which time is decided when this machine's clock and the API server's differ."""

import logging
from email.utils import formatdate

import pytest
from aiohttp import web

from podwright.kube.access import Access
from podwright.kube.client import ApiClient
from podwright.kube.credentials import FixedCredentials
from podwright.kube.server_clock import MARGIN, ServerClock
from tests.unit.kube.server import serve

T = 1_800_000_000.0


class Machine:
    """A machine whose clock is `error` seconds ahead, `passed` seconds after it was started."""

    def __init__(self) -> None:
        self.error = 0.0
        self.passed = 0.0
        self.clock = ServerClock(clock=lambda: T + self.passed + self.error, monotonic=lambda: 50.0 + self.passed)

    def answer(self, *, late: float = 0.0, server_error: float = 0.0) -> None:
        """Let an answer come in."""
        self.clock.observe(formatdate(T + self.passed - late + server_error, usegmt=True))


def test_until_the_server_has_told_its_time_the_machines_counts() -> None:
    machine = Machine()
    machine.error = 1e9
    assert (machine.clock.now(), machine.clock.ahead, machine.clock.is_due) == (T + 1e9, 0.0, True)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Sat, 28 Nov 99999 07:00:00 GMT"])
def test_what_is_no_date_says_nothing(date: str | None) -> None:
    machine = Machine()
    machine.clock.observe(date)
    assert machine.clock.ahead == 0.0


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        pytest.param(0.0, T, id="right"),
        pytest.param(MARGIN - 1, T + MARGIN - 1, id="a little ahead"),
        pytest.param(3e8, T, id="ten years ahead"),
        pytest.param(-3600.0, T - 3600.0, id="behind"),
    ],
)
def test_a_clock_that_jumps_after_an_answer_is_held_back_at_once(error: float, wanted: float) -> None:
    machine = Machine()
    machine.answer()
    machine.error = error
    assert machine.clock.now() == pytest.approx(wanted)
    machine.passed = 900.0
    assert machine.clock.now() == pytest.approx(wanted + 900.0)


def test_of_answers_that_took_their_time_the_fastest_counts() -> None:
    machine = Machine()
    machine.error = 1000.0
    for late in (7.0, 0.0, 9.0, 5.0):
        machine.answer(late=late)
        machine.passed += 2.0
    assert machine.clock.now() == pytest.approx(T + machine.passed)


def test_a_server_that_was_ahead_and_was_set_right_is_believed_after_two_minutes() -> None:
    machine = Machine()
    machine.answer(server_error=3600.0)
    machine.error = 1800.0
    for _ in range(130):
        machine.passed += 1.0
        machine.answer()
    assert machine.clock.now() == pytest.approx(T + 130.0)


def test_the_difference_is_logged_once_until_it_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    with caplog.at_level(logging.WARNING):
        for error in (60.0, 60.0, 0.0, 90.0):
            machine.error = error
            machine.answer()
    assert [record.getMessage()[:47] for record in caplog.records] == [
        "this machine's clock is 60 s ahead of the API s",
        "this machine's clock is 90 s ahead of the API s",
    ]


@pytest.mark.parametrize(("status", "counts"), [(200, True), (503, False)])
async def test_the_client_records_the_date_of_answers_but_not_of_refusals(status: int, counts: bool) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, body=b"{}", headers={"Date": formatdate(T, usegmt=True)})

    clock = ServerClock(clock=lambda: T + 500.0)
    async with serve(answer) as url, ApiClient(FixedCredentials(Access(server=url)), clock=clock) as client:
        await client.request("GET", "/api/v1/pods")
    assert (clock.ahead > 400.0) is counts
