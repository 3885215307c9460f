"""Tests, by layer: see CONTRIBUTING.md. A package, so that `tests.…` means this one and no other on the path."""
