"""JSON of the API server to slim frozen views and back: one module per kind or part of it. No IO and no decisions."""
