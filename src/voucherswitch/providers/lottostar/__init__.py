"""lottostar: betting vouchers, single message with a reversal, over a protocol proposed by us (providers.md 3)."""
