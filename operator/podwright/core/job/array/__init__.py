"""The policies of an array: one job of many tasks, each in a pod of its own or packed with others.

A *unit* is what one pod runs: a task, or a pack of `spec.array.pack` neighbouring tasks. `decide` is the entry; what is the
same for a single job (stops, deadlines, verdicts, the phase table) stays in `core.job`.
"""
