"""An operator is told which listeners are open to nobody, and of no others."""

from collections.abc import Sequence
from ipaddress import ip_network

import pytest
import structlog

from voucherswitch.catalogue.snapshot import EMPTY, Catalogue, Originator
from voucherswitch.config.settings import Settings
from voucherswitch.interface.doors import Doors

TLS = {"tls_host": "192.0.2.1", "tls_certificate_file": "/tls/server.pem", "tls_key_file": "/tls/server.key"}
PLAIN = {"interface_host": "192.0.2.1", "trusted_edges": "192.0.2.5"}
LISTED = "198.51.100.0/24"


def a_catalogue(sources: str | None, *, enabled: bool = True) -> Catalogue:
    """One originator, with a source or without."""
    listed = None if sources is None else (ip_network(sources),)
    return Catalogue(
        version=1, originators={"1": Originator(id="1", name="", password_hash="", enabled=enabled, sources=listed)}
    )


async def told(settings: dict[str, str], *catalogues: Catalogue) -> list[list[str]]:
    """The settings that are named in warnings, with each catalogue in turn."""
    doors = Doors(Settings(**settings))
    found = []
    for catalogue in catalogues:
        with structlog.testing.capture_logs() as logs:
            await doors.refresh(catalogue)
        assert {entry["log_level"] for entry in logs} <= {"warning"}
        found.append([entry["setting"] for entry in logs])
    return found


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({}, []),  # for this machine only, as it is meant
        (TLS, ["tls_sources"]),
        (PLAIN, ["interface_sources"]),  # edges may connect, and nobody behind them is served
        (PLAIN | TLS, ["interface_sources", "tls_sources"]),
        (TLS | {"trusted_edges": "192.0.2.5"}, ["tls_sources"]),
        (TLS | {"tls_sources": LISTED}, []),
        (PLAIN | {"interface_sources": LISTED}, []),
        (PLAIN | TLS | {"tls_sources": LISTED}, ["interface_sources"]),
    ],
)
@pytest.mark.parametrize("catalogue", [EMPTY, a_catalogue(None), a_catalogue(LISTED, enabled=False)])
async def test_a_listener_beyond_loopback_that_serves_nobody_is_told_of(
    settings: dict[str, str], warned: Sequence[str], catalogue: Catalogue
) -> None:
    assert await told(settings, catalogue) == [warned]


async def test_originators_sources_open_every_listener() -> None:
    """And it is told again when the last of them goes, once."""
    both = ["interface_sources", "tls_sources"]
    listed = a_catalogue(LISTED)
    assert await told(PLAIN | TLS, listed, listed, EMPTY, EMPTY, listed, EMPTY) == [[], [], both, [], [], both]
