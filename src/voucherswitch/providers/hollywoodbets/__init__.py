"""Hollywoodbets: vouchers of a betting brand; business results come in HTTP 200."""
