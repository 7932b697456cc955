"""Who may come in at a listener, and who may speak for others (interface.md §9, N2; decision 0025).

A connection is judged by its own source. What a trusted edge says of the source behind it is judged again, without the
exemption of loopback: the edge's loopback is not ours.
"""

from collections.abc import Callable
from typing import Final

import structlog
from msgspec import Struct

from voucherswitch.catalogue.snapshot import Catalogue
from voucherswitch.config.rules import is_loopback
from voucherswitch.config.settings import Settings
from voucherswitch.security.networks import Networks
from voucherswitch.security.peer import Address

log = structlog.get_logger(__name__)

REMEDY: Final = "list networks in the setting, or give the originators sources of their own"


class Door:
    """What one listener asks of a source before anything is read.

    Args:
        listed: the listener's own list.
        edges: who stands in front of us.
        announced: whether connections of edges begin with the PROXY protocol. Else the edges' headers say who speaks.
        tls: whether TLS is spoken here. Then the originators' own sources may connect themselves, not only through an
            edge, and certificates come with the connection.
    """

    def __init__(self, listed: Networks, edges: Networks, *, announced: bool, tls: bool) -> None:
        self.tls: Final = tls
        self._listed: Final = listed
        self._edges: Final = edges
        self._announced: Final = announced
        self._originators = Networks()

    @property
    def serves_nobody(self) -> bool:
        """Whether no list names anybody who is to be served here, directly or through an edge. Loopback always is."""
        return not self._listed and not self._originators

    def learn(self, originators: Networks) -> None:
        """From now on these are the sources of the enabled originators."""
        self._originators = originators

    def admits(self, source: Address) -> bool:
        """Whether a connection may come from this address."""
        return (
            source.is_loopback
            or source in self._edges
            or source in self._listed
            or (self.tls and source in self._originators)
        )

    def admits_behind_edge(self, source: Address) -> bool:
        """Whether an edge may pass on what comes from this address."""
        return source in self._listed or source in self._originators

    def is_announced(self, source: Address) -> bool:
        """Whether a connection from this address must begin with the PROXY protocol."""
        return self._announced and source in self._edges

    def is_edge(self, source: Address) -> bool:
        """Whether the headers of requests from this address say who speaks."""
        return not self._announced and source in self._edges


class Arrival(Struct, frozen=True):
    """A connection that was let in: at which door, from where, and whether it was an edge that said so."""

    door: Door
    source: Address
    announced: bool = False

    @property
    def from_edge(self) -> bool:
        """Whether its requests say in headers who sent them."""
        return not self.announced and self.door.is_edge(self.source)

    @property
    def admitted(self) -> bool:
        """Whether it would be let in now: lists change while connections are open."""
        return self.door.admits_behind_edge(self.source) if self.announced else self.door.admits(self.source)


class Doors:
    """The doors of one worker. `on_change` is called when their lists have changed."""

    def __init__(self, settings: Settings, on_change: Callable[[], None] = lambda: None) -> None:
        edges = Networks(settings.trusted_edges)
        # Whoever reached the plain listener by himself would have sent his password in clear: edges only, and whom the
        # listener's own list names.
        self.plain: Final = Door(
            Networks(settings.interface_sources), edges, announced=settings.proxy_protocol, tls=False
        )
        self.tls: Final = Door(Networks(settings.tls_sources), edges, announced=settings.proxy_protocol, tls=True)
        self._on_change: Final = on_change
        # Those that the network can reach, by the setting of their own list.
        self._reached: Final[dict[str, Door]] = {}
        if not is_loopback(settings.interface_host):
            self._reached["interface_sources"] = self.plain
        if settings.tls_certificate_file is not None and not is_loopback(settings.tls_host):
            self._reached["tls_sources"] = self.tls
        self._warned: frozenset[str] = frozenset()

    async def refresh(self, catalogue: Catalogue) -> None:
        """Learn the originators' sources from a new catalogue."""
        sources = Networks(
            network for item in catalogue.originators.values() if item.enabled for network in item.sources or ()
        )
        for door in (self.plain, self.tls):
            door.learn(sources)
        self._warn_of_empty_lists()
        self._on_change()

    def _warn_of_empty_lists(self) -> None:
        """Say which doors are open to nobody, at the start and when it comes to that later.

        Before somebody looks for the fault in a network.
        """
        closed = frozenset(setting for setting, door in self._reached.items() if door.serves_nobody)
        for setting in sorted(closed - self._warned):
            log.warning("nobody outside this machine is served", setting=setting, remedy=REMEDY)
        self._warned = closed
