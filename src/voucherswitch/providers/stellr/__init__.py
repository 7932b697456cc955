"""Stellr: an aggregator of digital vouchers, by a protocol of ours (Proposed; providers.md section 1)."""
