"""Packed tasks: one pod that runs many tasks of an array, and what it reports."""
