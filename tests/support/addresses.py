"""Addresses of this machine that are not loopback: a connection from one of them to loopback comes from a stranger."""

import socket
from ipaddress import ip_address

import pytest


def own_address() -> str:
    """An IPv4 address of this machine by which others know it; without one the test is skipped."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # chooses a route and sends nothing
            address: str = probe.getsockname()[0]
        except OSError:
            address = "127.0.0.1"
    if ip_address(address).is_loopback:
        pytest.skip("this machine has no address but loopback")
    return address
