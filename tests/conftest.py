"""What every test shares: Hypothesis profiles, which tests run by default, and distance from the user's own cluster."""

from __future__ import annotations

import os

import hypothesis
import pytest

# Derandomized by default: a run fails for what the change did, not for the seed. `HYPOTHESIS_PROFILE=explore` looks for
# new examples, for longer.
hypothesis.settings.register_profile("default", derandomize=True, deadline=None, max_examples=100)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=5000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


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
