"""Where a provider may be: the public internet, and other networks only if its settings name them. Pure.

A provider's address is entered by a person and looked up in a DNS that is not ours, and either may point at what only
this machine can reach: its own services, a database, the metadata of a cloud (SSRF). So the same rules are asked twice:
of the address as it is entered, and of every address that its name stands for, right before the connection to it.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

LOOPBACK: Final[tuple[Network, ...]] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

# Where clouds hand a machine its credentials, and the machine's keeper speaks. No provider is there, whatever the
# settings say. Azure's is in a public range.
_METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google, Oracle, OpenStack, DigitalOcean
        "169.254.170.2",  # AWS ECS
        "169.254.170.23",  # AWS EKS
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS EKS
        "fd20:ce::254",  # Google
    )
)
_THIS_NETWORK: Final = IPv4Network("0.0.0.0/8")  # reaches this machine on most systems
_BROADCAST: Final = IPv4Address("255.255.255.255")
_SHARED: Final = IPv4Network("100.64.0.0/10")  # carrier-grade NAT
_PROTOCOL: Final = IPv4Network("192.0.0.0/24")  # Python calls parts of it global
_UNIQUE_LOCAL: Final = IPv6Network("fc00::/7")
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")  # what is not in it was given to nobody
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")  # carries any IPv4 address
_NAT64: Final = IPv6Network("64:ff9b::/96")

_NAME: Final = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z][a-z0-9_-]{0,62}\.?", re.I)


def network_of(text: str) -> Network | None:
    """A network as `allowed_networks` writes it; None: it is none, or has bits set behind its prefix."""
    try:
        return ip_network(text)
    except ValueError:
        return None


def address_of(host: str) -> Address | None:
    """The address that a host is written as; None: it is a name, or nothing."""
    try:
        return ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def is_name(host: str) -> bool:
    """Whether a host is a name that can be looked up.

    `127.1`, `0x7f000001` and `2130706433` are not: resolvers read them as addresses.
    """
    return _NAME.fullmatch(host) is not None


def names_this_machine(host: str) -> bool:
    """Whether a host says that it is this machine. Of another name only looking it up can tell."""
    address = address_of(host)
    if address is None:
        return host.rstrip(".").lower() == "localhost"
    return _bare(address).is_loopback


def refusal_of_host(host: str, allowed: Sequence[Network]) -> str | None:
    """Why a provider cannot be at a host as it was entered; None: nothing speaks against it until it is looked up."""
    address = address_of(host)
    if address is not None:
        return refusal_of_address(address, allowed)
    if not is_name(host):
        return "is neither a name nor an address as it is usually written"
    if names_this_machine(host) or host.rstrip(".").lower().endswith(".localhost"):
        return None if any(network.is_loopback for network in allowed) else _UNNAMED.format("a loopback address")
    return None


_UNNAMED: Final = "is {}, in no network of allowed_networks"


def refusal_of_address(address: Address, allowed: Sequence[Network]) -> str | None:
    """Why nothing may be sent to an address; None: it is public, or in one of the allowed networks."""
    address = _bare(address)
    if address in _METADATA:
        return "is where a cloud keeps a machine's credentials, and is never allowed"
    if address.is_multicast:
        return "is a multicast address, and is never allowed"
    if address.is_unspecified or address == _BROADCAST or address in _THIS_NETWORK:
        return "is no machine's address, and is never allowed"
    if is_in(address, allowed):
        return None
    kind = _kind(address)
    return None if kind is None else _UNNAMED.format(kind)


def is_in(address: Address, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks; one that only wraps an IPv4 address counts as that."""
    address = _bare(address)
    return any(address in network for network in networks)


def _bare(address: Address) -> Address:
    """The IPv4 address that an IPv6 one wraps (IPv4-mapped, NAT64): it is what will be reached. Else as it is."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _kind(address: Address) -> str | None:
    """What sort of address that is not public this is; None: it is public."""
    if address.is_loopback:
        return "a loopback address"
    if address.is_link_local:
        return "a link-local address"
    if address in _SHARED:
        return "an address behind a carrier's NAT"
    if address in _UNIQUE_LOCAL or (isinstance(address, IPv4Address) and address.is_private):
        return "a private address"
    if isinstance(address, IPv4Address):
        return None if address.is_global and address not in _PROTOCOL else "a reserved address"
    public = address.is_global and address in _GLOBAL_UNICAST and address not in _SIX_TO_FOUR
    return None if public else "a reserved address"
