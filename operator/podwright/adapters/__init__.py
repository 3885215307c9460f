"""The edges of the operator: kopf's handlers and the HTTP endpoints for probes and metrics.

Started by `kopf run` or by `podwright operator run`. The only place that imports kopf. Must not decide anything: it
translates between the outside and `runtime`.
"""
