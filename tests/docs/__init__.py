"""The documentation does what it says: commands run, manifests are valid, generated sections are up to date."""
