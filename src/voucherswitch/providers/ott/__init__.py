"""OTT Voucher: an open voucher, sold and redeemed; every form is hashed."""
