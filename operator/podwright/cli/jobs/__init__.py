"""The verbs for users of jobs, one file each; what they decide and say is in pure files beside them."""
