"""The decisions: pure functions from a view of the cluster and the time to commands. One policy, one file.

Called by `runtime`. Must not do IO, read a clock, draw random numbers, use asyncio or import anything but the standard
library and msgspec: the time and everything else come in as arguments, so that every decision can be replayed and tested
as a table.
"""
