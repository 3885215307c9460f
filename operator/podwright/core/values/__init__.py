"""Plain values and functions without any knowledge of jobs: index sets, durations, jitter."""
