"""Flash: 1Voucher, an open voucher sold and redeemed, and gift vouchers."""
