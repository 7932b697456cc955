"""Speak with originators: the Single Use Vouchers interface v1.24 over HTTP."""
