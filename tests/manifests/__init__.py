"""Tests of what is installed, as files: manifests, chart and examples. No cluster needed."""
