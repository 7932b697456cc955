"""Addresses of this machine that are not loopback: a connection from one of them to loopback comes from a stranger."""

import os
import socket
from ipaddress import ip_address
from typing import NoReturn

import pytest


def absent(why: str) -> NoReturn:
    """Skip a test for want of something on this machine. In CI it fails: there, nobody sees what was skipped."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def own_address() -> str:
    """An IPv4 address of this machine by which others know it; without one the test is skipped."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # chooses a route and sends nothing
            address: str = probe.getsockname()[0]
        except OSError:
            address = "127.0.0.1"
    if ip_address(address).is_loopback:
        absent("this machine has no address but loopback; give it one: ip address add 192.0.2.77/32 dev lo")
    return address
