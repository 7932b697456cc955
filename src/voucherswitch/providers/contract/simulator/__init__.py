"""What all protocol simulators share (providers.md B.12): server, faults, clock, journal, control API.

A simulator is a test instrument and a demonstration: it keeps everything in memory and listens on loopback only.
"""
