"""A Kubernetes cluster for development, the demo and the tests."""
