"""voucherswitch: a switch for digital vouchers."""

__version__ = "0.1.0"
