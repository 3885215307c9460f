"""The policies of a job of one task: its attempts one after the other, each in a pod of its own."""
