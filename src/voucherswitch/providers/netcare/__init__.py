"""Netcare: vouchers for medical services, by a protocol of ours (Proposed; providers.md section 2)."""
