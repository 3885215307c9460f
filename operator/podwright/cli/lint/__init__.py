"""`podwright lint`: what is wrong with a manifest, found without a cluster where that is possible."""
