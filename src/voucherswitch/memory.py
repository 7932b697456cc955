"""The garbage collector of a process that serves."""

import gc

from voucherswitch.config.limits import GARBAGE_LOOKS, GARBAGE_YOUNG_MAX


def settle_memory() -> None:
    """Tell the garbage collector that what is there now stays: called by a process once it serves.

    Programs, settings and the catalogue are not looked at again, and requests in work less often. Nearly all of what
    they leave behind is freed by its reference counts, at once.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_YOUNG_MAX, GARBAGE_LOOKS, GARBAGE_LOOKS)
