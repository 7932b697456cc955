"""Stellr: an aggregator of digital vouchers, over XML; it takes no advices."""
