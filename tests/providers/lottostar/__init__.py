"""Tests of the Lottostar connector and simulator: a protocol proposed by us (providers.md section 3)."""
