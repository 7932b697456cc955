"""hollywoodbets: betting vouchers, business results in HTTP 200, over a protocol proposed by us (providers.md 4)."""
