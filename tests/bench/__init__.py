"""`make bench`: how fast Podwright is and what it costs, measured beside the native Job and bare pods in one run.

`python -m tests.bench` starts an embedded cluster of its own with fake nodes, lets the operator run in it as its own service
account, and sends the same pods as bare pods, as native Jobs and as BatchJobs, in turns. Then it measures the operator
alone against the simulator of the API server. The result is compared with the goals (`goals`), which may be missed but are
always shown, and with `thresholds.yaml`, which must hold.

From a load to a number: `load` submits, `observer` takes the times of what happens, `counters` reads what the API server
counted, `processes` what the processes used; `cluster_part` and `engine_part` put these together, `summary` makes metrics of
the rounds, `report` shows them. Nothing here may reach a cluster that it has not started.
"""
