"""Blu Voucher: an open voucher of Blue Label Telecoms, sold and redeemed; over AEON (TCP) or the trade API (REST)."""
