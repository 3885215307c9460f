"""The operator's metrics, from the registry that it serves them from."""

from prometheus_client.metrics import MetricWrapperBase

from podwright.cli.reference.sections import table
from podwright.runtime.metrics import Metrics


def render() -> str:
    """A table of all metrics."""
    rows = []
    for metric in vars(Metrics()).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            # As the text format has it, which is what queries are written against.
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)
            rows.append((f"`{name}`", family.type, labels, family.documentation))
    return table(("Metric", "Type", "Labels", "Meaning"), rows)
