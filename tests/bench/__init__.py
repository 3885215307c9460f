"""`make bench`: how fast Podwright is and what it costs, measured beside the native Job and bare pods in one run.

`python -m tests.bench` starts an embedded cluster of its own with fake nodes, lets the operator run in it as its own service
account, and sends the same pods as bare pods, as native Jobs and as BatchJobs, in turns, and then as one array beside as many
bare pods. It measures the operator alone against the simulator of the API server: how many jobs it can do, what they take of
its memory, and what the records of large arrays take. On a cluster with one real node (Linux and root; left out elsewhere) it
runs packed tasks beside tasks with a pod each. On another cluster it measures what tenants cost each other. `--only` chooses a
part and may be repeated: `cluster` (the turns), `engine`, `array` (the array and the records), `packed` or `tenants`. The result is compared with the goals (`goals`), which may be missed but are always shown, and with
`thresholds.yaml`, which must hold.

From a load to a number: `load` submits, `observer` takes the times of what happens, `counters` reads what the API server
counted, `processes` what the processes used; `rounds` puts these together to one round on a `ready_cluster`, and
`simulated` is what stands in for one. The parts are `cluster_part`, `array_part`, `packed_part`, `engine_part`, `record_part`
and `tenants_part`. `summary` makes metrics of them, `report` and `array_tables` show them. Nothing here may
reach a cluster that it has not started.
"""
