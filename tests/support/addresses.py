"""Addresses of this machine that are not loopback: a connection from one of them to loopback comes from a stranger."""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from ipaddress import ip_address
from typing import Final, NoReturn

import pytest

# Of <linux/sched.h>, <linux/sockios.h> and <linux/if.h>.
_CLONE_NEWNET: Final = 0x4000_0000
_SET_FLAGS: Final = 0x8914
_SET_ADDRESS: Final = 0x8916
_UP: Final = 0x1
_GIVEN: Final = "192.0.2.77"  # of a network for examples (RFC 5737)


def absent(why: str) -> NoReturn:
    """Skip a test for want of something on this machine. It fails with TESTS_SKIP_NOTHING, where nobody reads skips."""
    if os.environ.get("TESTS_SKIP_NOTHING"):
        pytest.fail(why)
    pytest.skip(why)


def own_address() -> str:
    """An IPv4 address of this machine by which others know it; without one the test is skipped."""
    address = _own_address()
    if address is None:
        absent("this machine has no address but loopback; give it one: ip address add 192.0.2.77/32 dev lo")
    return address


def ensure_own_address() -> None:
    """Where there is none, move this process and its children into a network of their own that has one, if it may.

    Nobody loses by it: a machine without another address speaks to nobody. Linux, as root; elsewhere nothing is done.
    """
    if _own_address() is not None or sys.platform != "linux":
        return
    if ctypes.CDLL(None).unshare(_CLONE_NEWNET) == 0:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
            address = struct.pack("H2x4s8x", socket.AF_INET, socket.inet_aton(_GIVEN))
            fcntl.ioctl(control, _SET_ADDRESS, struct.pack("16s16s", b"lo:1", address))


def _own_address() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # chooses a route and sends nothing
            address: str = probe.getsockname()[0]
        except OSError:
            address = "127.0.0.1"
    return None if ip_address(address).is_loopback else address
