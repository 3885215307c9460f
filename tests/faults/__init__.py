"""Faults on purpose: a proxy between operator and API server, a record of everything that was stored, and invariants.

The parts: `proxy` forwards and applies `actions`; `history` records what the operator asked (`Exchange`) and, by a watch of
its own, every version of every job and pod (`VersionLog`); `invariants` judges both; `operators` starts, stops and kills
operator processes; `world` puts them together over a simulated or a real API server; `killing` runs a scenario once for
every write and every moment at which the operator can be killed around it.

Which test provokes which fault. Tests here check I1 to I5, I7 and I13 of all that they do (`invariants.ALWAYS`); the others name
what they check. Where the simulator is as good as a real API server it is used; what is about a real one's own parts
(quota, admission, schedulers, kubelets) is in `tests.cluster` and `tests.devcluster`.

| fault | | provoked in | also checked |
|---|---|---|---|
| F1 | SIGKILL at every write | tests/faults/test_kill_at_every_write.py | same end as undisturbed, I12, I14 |
| F2 F3 | two leaders, a leader that wakes late | tests/faults/test_leadership.py | refused by the fence |
| F4 | Lease stolen, deleted, damaged | tests/unit/kube/test_lease.py tests/cluster/operated/test_operator.py | one leader at most, no epoch twice |
| F5 | API server away | tests/faults/test_outages.py | |
| F6 | API server set back | tests/unit/kube/test_reflector.py | it is told, and a new process starts |
| F7 F8 | watches that break or lie, old caches | tests/faults/test_watches.py | |
| F9 | events in any order, twice, or not at all | tests/unit/store/test_jobs.py tests/unit/core/job/test_decide_machine.py | same end |
| F10 | node lost, silent, out of service | tests/cluster/operated/test_disruptions.py | I2: nothing follows early; both delivery modes |
| F11 | eviction, drain, preemption, deletion by hand and by force | tests/cluster/operated/test_disruptions.py | I5 |
| F12 | conflicts all the time | tests/faults/test_conflicts.py | I14 |
| F13 | bad answers and none | tests/faults/test_answers.py tests/simulation/test_engine.py | same end |
| F14 | credentials refused, rights lost | tests/unit/kube/test_client.py tests/unit/core/attempt/test_refusal.py | |
| F15 | clocks that jump | tests/unit/kube/test_lease.py tests/simulation/test_mishaps.py | nobody waits for a time that was noted before |
| F18 | jobs, pods, namespaces deleted | tests/faults/test_deletion.py | I7 |
| F19 | quota full, lowered; limit ranges | tests/cluster/operated/test_refusals.py tests/cluster/operated/test_array_faults.py | no attempt counted, no hot loop |
| F20 | pods refused by admission, webhooks down or slow | tests/cluster/operated/test_refusals.py tests/cluster/operated/test_array_faults.py | no attempt counted, no hot loop |
| F21 | pods that cannot start | tests/cluster/operated/test_array_faults.py tests/real/test_real_jobs.py | the reason is told, the start limit ends them |
| F22 | giant specs and records | tests/cluster/operated/test_array_faults.py | |
| F23 | dependencies in a circle, missing, too many | tests/simulation/test_gates.py tests/unit/core/job/gates/test_cycle.py | |
| F24 | expressions and texts that are meant to harm | tests/simulation/test_hostile_text.py tests/unit/core/attempt/test_failure_policy.py | others go on, no long turn of the loop |
| F25 | objects that our code cannot take | tests/faults/test_poison.py tests/simulation/test_mishaps.py | others go on, it is told, no hot loop |
| F27 | spec changed under way, suspended and resumed, namesakes | tests/cluster/operated/test_array_faults.py tests/cluster/test_admission.py | no task twice |
| F28 | sabotage of status, pods, Leases | tests/faults/test_sabotage.py tests/cluster/operated/test_array_faults.py | I1 I2 I5, one operator acts |

Not provoked: F16 and F26 (there are no schedules and no database yet), F17, F30, F31, F32, and F29 (there is no webhook of ours).
"""
