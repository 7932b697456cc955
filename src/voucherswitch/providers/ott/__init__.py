"""ott: vouchers of OTT, issued and redeemed. Documented with Proposed gaps, in providers.md, section 6."""
