"""Talking to the API server: the HTTP client, the reflector (list and watch), decoding, credentials and leases.

Used by `runtime`. Must not decide what to do with a job, and only `credentials` may import the official client.
"""
