"""Podwright: a distributed job scheduler that lives inside Kubernetes.

The sub-packages are the architecture. Imports go one way only, from left to right, and `make lint` checks it:

    cli > adapters > runtime > kube > store > core

`api` (the models of the custom resources) and `devcluster` (clusters for development, demo and tests) stand aside.
"""

__version__ = "0.1.0"
