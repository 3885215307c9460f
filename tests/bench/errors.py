"""What ends a measurement: the text is for whoever runs the bench."""


class BenchError(RuntimeError):
    """The bench could not measure what it was to measure; a number would mislead."""
