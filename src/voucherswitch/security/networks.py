"""Sets of networks, and what one listener admits (interface.md §9, N2)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from types import MappingProxyType
from typing import Final

from voucherswitch.security.peer import Address, Network


class Networks:
    """A set of networks that is asked about every connection: one look for each length of prefix, however many."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        found: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
        for network in networks:
            found[network.version, network.max_prefixlen - network.prefixlen].add(
                int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
            )
        self._by_host_bits: Final[Mapping[tuple[int, int], Set[int]]] = MappingProxyType(dict(found))

    def __bool__(self) -> bool:
        return bool(self._by_host_bits)

    def __contains__(self, source: Address) -> bool:
        number = int(source)
        return any(
            version == source.version and number >> host_bits in numbers
            for (version, host_bits), numbers in self._by_host_bits.items()
        )
