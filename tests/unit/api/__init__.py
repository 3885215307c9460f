"""Tests of the API models and of the schemas generated from them; no cluster needed."""
