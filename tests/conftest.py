"""What every test shares: Hypothesis profiles, which tests run by default, and distance from the user's own cluster."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import hypothesis
import pytest

from podwright.devcluster import components
from podwright.devcluster.build import ensure_programs
from podwright.devcluster.real_node import requirements
from podwright.devcluster.reporting import LineReporter

if TYPE_CHECKING:
    from _pytest.capture import CaptureManager

# Derandomized by default: a run fails for what the change did, not for the seed. `HYPOTHESIS_PROFILE=explore` looks for
# new examples, for longer.
hypothesis.settings.register_profile("default", derandomize=True, deadline=None, max_examples=100)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=5000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_configure() -> None:
    """Let the programs that tests start be interrupted, although a shell that runs pytest in the background forbids it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave benchmarks out, unless they are asked for with `-m bench`."""
    if "bench" in config.getoption("markexpr"):
        return
    left_out = [item for item in items if item.get_closest_marker("bench")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def _no_cluster_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach the user's own cluster by accident: whoever needs a cluster gets a kubeconfig as an argument."""
    monkeypatch.setenv("KUBECONFIG", os.devnull)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


@pytest.fixture(scope="session")
def built_programs(pytestconfig: pytest.Config) -> None:
    """The programs of the clusters are built. On a new machine that takes minutes, which must not be some test's time."""
    real = () if requirements.why_not_real() else components.REAL_NODES
    capture: CaptureManager | None = pytestconfig.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        ensure_programs(
            (*components.CONTROL_PLANE, *components.FAKE_NODES, *real, *components.HELM),
            reporter=LineReporter(sys.stderr),
        )


@pytest.fixture(scope="session", autouse=True)
def _programs_first(request: pytest.FixtureRequest) -> None:
    """Build before the first fixture that may start a cluster, if any selected test needs one."""
    if any(item.get_closest_marker("cluster") for item in request.session.items):
        request.getfixturevalue("built_programs")
