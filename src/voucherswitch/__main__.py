"""`python -m voucherswitch` equals `voucherswitch`."""

from voucherswitch.cli.main import run

run()
