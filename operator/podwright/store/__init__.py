"""What the operator knows, in memory: the picture of jobs and pods, what waits to be looked at, and when.

Fed by events and by the answers to our own writes; read by the engine. No IO, no clock, no decisions: times are handed in.
Everything here can be lost without harm, since all of it is made anew from the API server.
"""
