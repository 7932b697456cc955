"""The conformance kit: the same scenarios for every provider, against its simulator or a sandbox of the provider's own.

A scenario knows the contract and no provider; what it must know of one is in that provider's `kit.py`, and which
scenarios apply follows from its capability record. `voucherswitch provider check NAME` runs them and reports.
"""
