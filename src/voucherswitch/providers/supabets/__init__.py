"""Supabets: vouchers of a betting brand, reserved and then committed."""
