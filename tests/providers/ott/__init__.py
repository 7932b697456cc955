"""Tests of the OTT connector and simulator: a documented protocol with gaps proposed by us (providers.md section 6)."""
