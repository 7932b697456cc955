"""Metrics for Prometheus: what a process measures of itself and of the journal, served as `/metrics` on loopback.

Each process has a registry and a port of its own; a scraper adds them up. Nothing here reads the journal: whoever has
read it hands the numbers over. No label has a value that an originator chooses, so their number is bounded.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, start_http_server

log = structlog.get_logger(__name__)

HOST: Final = "127.0.0.1"


class QueueDepth(Struct, frozen=True):
    """What one provider is owed. `oldest_s` 0: nothing is queued."""

    queued: int
    held: int
    failing: int
    parked: int
    oldest_s: float


class JournalMetrics:
    """What the journal says of itself, as the workers read it with each check of the invariants."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._broken = Gauge(
            "voucherswitch_invariant_broken_rows",
            "Rows that break an invariant; 0: it holds.",
            ["invariant"],
            registry=registry,
        )
        self._checked_at = Gauge(
            "voucherswitch_invariant_check_timestamp_seconds",
            "When the last check of the invariants ended; 0: there was none.",
            registry=registry,
        )
        self._check_duration = Gauge(
            "voucherswitch_invariant_check_duration_seconds",
            "What the last check of the invariants took.",
            registry=registry,
        )
        self._advices = Gauge(
            "voucherswitch_saf_advices",
            "Advices that a provider is still owed, by state; held and failing are among the queued.",
            ["provider", "state"],
            registry=registry,
        )
        self._oldest = Gauge(
            "voucherswitch_saf_oldest_advice_seconds",
            "Age of the oldest queued advice of a provider; 0: none is queued.",
            ["provider"],
            registry=registry,
        )
        self._unresolved = Gauge(
            "voucherswitch_unresolved_requests",
            "Requests whose outcome is unknown and whose call is over.",
            registry=registry,
        )
        self._at_stake = Gauge(
            "voucherswitch_unresolved_cents", "What the unresolved requests were asked for.", registry=registry
        )

        self._sealing_key = Gauge(
            "voucherswitch_vault_sealing_key", "Number of the vault key that seals.", registry=registry
        )
        self._blocks_left = Gauge(
            "voucherswitch_vault_blocks_left",
            "Blocks of sealed tables that are still to be looked through for what older vault keys have sealed; "
            "0: all of it is under the key that seals.",
            registry=registry,
        )
        self._unopened = Gauge(
            "voucherswitch_vault_unopened_values",
            "Sealed values that did not open when they were to be sealed anew.",
            registry=registry,
        )

    def checked(self, broken: Mapping[str, int], ended_at_s: float, duration_s: float) -> None:
        """What the last check found: broken rows of every invariant, 0 included, and when it ended (Unix time)."""
        for name, rows in broken.items():
            self._broken.labels(name).set(rows)
        self._checked_at.set(ended_at_s)
        self._check_duration.set(duration_s)

    def queues(self, depths: Mapping[str, QueueDepth]) -> None:
        """The queue of every provider. Providers that are gone are told no more."""
        self._advices.clear()
        self._oldest.clear()
        for provider, depth in depths.items():
            for state in ("queued", "held", "failing", "parked"):
                self._advices.labels(provider, state).set(getattr(depth, state))
            self._oldest.labels(provider).set(depth.oldest_s)

    def unresolved(self, requests: int, cents: int) -> None:
        """Requests that somebody or something has to find out about."""
        self._unresolved.set(requests)
        self._at_stake.set(cents)

    def vault(self, sealing_key: int, blocks_left: int, unopened: int) -> None:
        """Which vault key seals, and how far the rest is under it."""
        self._sealing_key.set(sealing_key)
        self._blocks_left.set(blocks_left)
        self._unopened.set(unopened)


def new_registry() -> CollectorRegistry:
    """A registry that knows the process itself: processor time, memory, open files, start."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


@contextmanager
def served(registry: CollectorRegistry, port: int, setting: str) -> Iterator[None]:
    """Serve a registry while this lasts; 0 serves none.

    A port that is taken is logged and no more: what the process does for money matters more than its being watched.
    """
    if port == 0:
        yield
        return
    try:
        server, thread = start_http_server(port, addr=HOST, registry=registry)
    except OSError as error:
        log.error("metrics not served", host=HOST, port=port, reason=error.strerror, remedy=f"set {setting} to another")
        yield
        return
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
