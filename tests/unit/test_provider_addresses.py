"""Where a provider may be: the internet, and what its settings name."""

import pytest

from voucherswitch.providers.contract.addresses import address_of, network_of, refusal_of_address, refusal_of_host

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "::1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1",
    "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1",
    "fe80::1", "fc00::1", "fd12:3456::1", "fec0::1", "2001:db8::1", "2002:7f00:1::", "100::1", "4000::1",
    "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::10.0.0.1", "::127.0.0.1", "2001::1",
]  # fmt: skip
NEVER = [
    "0.0.0.0", "0.1.2.3", "::", "255.255.255.255", "224.0.0.1", "239.1.1.1", "ff02::1", "169.254.169.254",
    "169.254.170.2", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254", "::ffff:0.0.0.0",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "102.130.1.1", "196.25.1.1", "2606:4700::1111", "2c0f:f248::1", "64:ff9b::1.1.1.1"]
EVERYWHERE = (network_of("0.0.0.0/0"), network_of("::/0"))


def refused(text: str, *allowed: str) -> str | None:
    address = address_of(text)
    assert address is not None
    networks = [network for one in allowed if (network := network_of(one)) is not None]
    assert len(networks) == len(allowed)
    return refusal_of_address(address, networks)


@pytest.mark.parametrize("text", PRIVATE)
def test_what_is_not_public_is_refused_until_its_network_is_named(text: str) -> None:
    refusal = refused(text)
    assert refusal is not None
    assert "allowed_networks" in refusal
    assert refused(text, "0.0.0.0/0", "::/0") is None


@pytest.mark.parametrize("text", NEVER)
def test_some_addresses_are_never_a_providers(text: str) -> None:
    for allowed in ([], ["0.0.0.0/0", "::/0"]):
        assert "never allowed" in (refused(text, *allowed) or "")


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_need_no_leave(text: str) -> None:
    assert refused(text) is None


def test_a_network_lets_in_no_more_than_itself() -> None:
    assert refused("10.8.0.7", "10.8.0.0/24") is None
    assert refused("::ffff:10.8.0.7", "10.8.0.0/24") is None
    assert refused("10.8.1.7", "10.8.0.0/24") is not None
    assert refused("127.0.0.1", "10.8.0.0/24") is not None


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "any", "", "10.0.0.0 /8"])
def test_what_is_no_network_is_none(text: str) -> None:
    assert network_of(text) is None


@pytest.mark.parametrize(
    "host",
    ["127.1", "0x7f000001", "0x7f.1", "2130706433", "017700000001", "1.2.3.4.5", "a..b", "-a.example", "a b",
     "ä.example", "", "x" * 64 + ".example", "a.example:80", "a.example/", "169.254.169.254."],
)  # fmt: skip
def test_addresses_in_disguise_are_no_hosts(host: str) -> None:
    """A resolver reads `127.1` and its like as addresses, and we would not know which."""
    networks = [network for network in EVERYWHERE if network is not None]
    assert refusal_of_host(host, networks) == "is neither a name nor an address as it is usually written"


@pytest.mark.parametrize("host", ["provider.example", "a", "x-1.y_2.example.", "xn--4ca.example"])
def test_a_name_is_judged_when_it_is_looked_up(host: str) -> None:
    assert refusal_of_host(host, []) is None


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "a.localhost"])
def test_names_of_this_machine_are_as_good_as_its_address(host: str) -> None:
    assert "a loopback address" in (refusal_of_host(host, []) or "")
    assert refusal_of_host(host, [network for one in ("127.0.0.0/8",) if (network := network_of(one))]) is None
