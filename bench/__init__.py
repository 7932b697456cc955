"""The benchmark: durable provisions per second of the switch, of a conventional stack and of the bare database.

Not part of the product and imported by nothing in it. `python -m bench` runs it; README.md says how to read it.
"""
