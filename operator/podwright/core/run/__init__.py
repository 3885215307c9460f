"""What all runs share: phase, conditions, stop, deadlines, retention."""
