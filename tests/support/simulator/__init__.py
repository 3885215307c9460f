"""An in-process Kubernetes API server for tests and benchmarks, with the nodes and controllers that a job needs.

It answers on loopback as the real one does where Podwright can tell the difference: optimistic concurrency, uids and
generations, finalizers and graceful deletion, chunked lists, watches with bookmarks and expiry, garbage collection, and
namespaces that are torn down. `tests/cluster` runs the same random operations against both and compares the answers.

It has no field managers, no server-side apply, no defaulting of built-in kinds, no RBAC, and evaluates no CEL: the rules
that the BatchJob definition states in CEL are written out in `batchjobs`. One policy, one file; the flow of a request is
`server` -> `api` -> `storage` -> `watch`.
"""
