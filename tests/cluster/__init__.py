"""Tests against a real control plane: what the API server itself makes of the manifests, and the operator on it."""
