"""The operator's metrics, from the registry that it serves them from."""

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase

from podwright.cli.reference.sections import table
from podwright.runtime.metrics import Metrics
from podwright.runtime.turns import LoopTurns


def render() -> str:
    """A table of all metrics."""
    rows = []
    for family, labels in _families():
        # As the text format has it, which is what queries are written against.
        name = f"{family.name}_total" if family.type == "counter" else family.name
        rows.append((f"`{name}`", family.type, ", ".join(f"`{label}`" for label in labels), family.documentation))
    return table(("Metric", "Type", "Labels", "Meaning"), rows)


def _families() -> Iterator[tuple[Metric, tuple[str, ...]]]:
    for collector in vars(Metrics()).values():
        if isinstance(collector, MetricWrapperBase):
            yield from ((family, tuple(collector._labelnames)) for family in collector.describe())
        elif isinstance(collector, LoopTurns):
            yield from ((family, ()) for family in collector.collect())
