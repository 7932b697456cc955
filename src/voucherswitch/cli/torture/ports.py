"""Free ports for a run: one block that holds interface, console and every simulator with its control port."""

import random
import socket
from typing import Final

from voucherswitch.cli.errors import CommandError

_FIRST: Final = 20_000  # below what the kernel gives to clients
_LAST: Final = 32_000
_BLOCK: Final = 256
_TRIES: Final = 100


def free_block(above: frozenset[int]) -> int:
    """A port from which on all of these are free.

    Args:
        above: the ports that are needed, counted from the one that is returned.

    Raises:
        CommandError: there is no such block.
    """
    blocks = list(range(_FIRST, _LAST, _BLOCK))
    random.shuffle(blocks)  # no part of the seed: two runs on one machine must not meet
    for block in blocks[:_TRIES]:
        if all(_is_free(block + number) for number in above):
            return block
    raise CommandError(f"no {len(above)} free ports between {_FIRST} and {_LAST}: stop what uses them")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
