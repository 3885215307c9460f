"""What marks a module whose tests need real nodes: they run real containers, and are left out where this machine can't."""

from __future__ import annotations

from typing import Final

import pytest

from podwright.devcluster.real_node import why_not_real

NEEDS_REAL_NODES: Final = (
    pytest.mark.real,
    pytest.mark.timeout(300),  # a first run builds the programs
    pytest.mark.skipif(why_not_real() is not None, reason=why_not_real() or ""),
)
