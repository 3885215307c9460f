"""What makes the operator run: the engine, the writer pool, leadership, settings, metrics.

It joins the pure `core` and the `store` with the IO in `kube`. It must not hold a rule about jobs (that is `core`'s), nor
know of kopf or HTTP serving (that is `adapters`').
"""
