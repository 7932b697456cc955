"""Betway: vouchers of a betting brand, ordered and then asked for; tender first."""
