"""Names that are part of the contract with users: labels, annotations, environment variables."""
