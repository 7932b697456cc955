"""The words that all parts share: orders, amounts, vouchers, outcomes, result codes."""
