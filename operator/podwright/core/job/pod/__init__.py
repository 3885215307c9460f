"""Parts of the pod that Podwright adds to a job's template, one per file. Pure: JSON values in, JSON values out."""
