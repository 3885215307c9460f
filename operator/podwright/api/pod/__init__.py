"""The part of the pod template that people use, typed; every other field of a pod is kept and passed on as it is.

A full schema would make the CRD larger than clients and Helm can carry. What isn't typed here is judged by the API server
when the pod is created.
"""
