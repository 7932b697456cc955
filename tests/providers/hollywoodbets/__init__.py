"""Tests of the Hollywoodbets connector and simulator: a protocol proposed by us (providers.md section 4)."""
