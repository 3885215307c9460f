"""`podwright dev demo`: a cluster, Podwright on it, and four example jobs that run while the user watches.

`command` is the order of events; `install` and `operator_process` put Podwright on the cluster, `jobs` and `watch` follow
the examples, `show` draws. Imports nothing slow at the top of `command`, since that is loaded for every call.
"""
