"""Lottostar: vouchers of a betting brand; every message is signed."""
