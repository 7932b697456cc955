"""The command line: one command, `voucherswitch`, with a module for each noun. Nothing imports this package."""
