"""Faults on purpose: a proxy between operator and API server, a record of everything that was stored, and invariants.

The parts: `proxy` forwards and applies `actions`; `history` records what the operator asked (`Exchange`) and, by a watch of
its own, every version of every job and pod (`VersionLog`); `invariants` judges both; `operators` starts, stops and kills
operator processes; `world` puts them together over a simulated or a real API server; `killing` runs a scenario once for
every write and every moment at which the operator can be killed around it.
"""
