"""The gate before every provider: who may call it now. One for requests, retries, lookups and advices alike.

Shut while the provider is in maintenance or its circuit breaker is open. A call is made with a ticket, and the ticket
hears what came of it: that is how breakers open and close.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from math import ceil
from typing import Final, TypeAlias

import structlog
from msgspec import Struct

from voucherswitch.catalogue.reload import LiveCatalogue
from voucherswitch.catalogue.snapshot import Provider
from voucherswitch.config.limits import BREAKER_CLAIM_SPARE_MS, RETRY_AFTER_S, RETRY_AFTER_S_MAX
from voucherswitch.message.outcomes import AdviceResult, Outcome
from voucherswitch.message.trace import Leg
from voucherswitch.providers.breaker import Breaker, Breakers
from voucherswitch.providers.verdict import Health, judge, reason_of

log = structlog.get_logger(__name__)


class Shut(Struct, frozen=True):
    """Why a provider is not to be asked now, and after how many seconds it is worth trying again."""

    why: str
    retry_after_s: int


Shutting: TypeAlias = Callable[[Provider], Shut | None]


class Ticket:
    """Leave to make one call. Whoever has it settles it, or gives it back unused; both may be done again."""

    __slots__ = ("_breakers", "_entered_s", "_open", "_token", "_version", "provider_id")

    def __init__(self, breakers: Breakers, provider_id: str, version: int, token: int | None) -> None:
        self.provider_id = provider_id
        self._breakers = breakers
        self._version = version
        self._token = token  # of a probe
        self._entered_s = time.monotonic()
        self._open = True

    async def settle(self, result: Outcome | AdviceResult | None, legs: list[Leg], deadline_s: float) -> None:
        """Tell what came of the call: its result, its exchanges, and by when it had to end."""
        now_s = time.monotonic()
        given_up = result is None or now_s >= deadline_s
        cut_after_s = min(now_s, deadline_s) - self._entered_s if given_up else None
        health = judge(result, legs, cut_after_s)
        await self._end(health, reason_of(result, legs) if health is Health.FAILING else "")

    async def give_back(self) -> None:
        """No call was made with it."""
        await self._end(Health.UNTOLD, "")

    async def _end(self, health: Health, reason: str) -> None:
        if not self._open:
            return
        self._open = False
        try:
            if self._token is not None:
                await self._breakers.settle(self.provider_id, self._token, health, reason)
            elif health is Health.WELL:
                self._breakers.well(self.provider_id, self._version)
            elif health is Health.FAILING:
                await self._breakers.failing(self.provider_id, self._version, reason)
        except Exception:
            # Whatever it is, what the provider answered must not be lost for it.
            log.exception("breaker not told of a call", provider=self.provider_id)


class Gate:
    """Says of each provider whether it may be called, and lets calls through."""

    def __init__(self, breakers: Breakers, catalogue: LiveCatalogue) -> None:
        self._breakers = breakers
        self._catalogue = catalogue

    def shut(self, provider_id: str) -> Shut | None:
        """Why the provider is not to be asked now; None: it may be, or one call may try. Asks nobody."""
        provider = self._catalogue.current.providers.get(provider_id)
        return None if provider is None else self.shut_to(provider)

    def shut_to(self, provider: Provider) -> Shut | None:
        """The same of a provider of the caller's own snapshot."""
        return shut_now(provider, self._breakers.of(provider.id))

    async def enter(self, provider_id: str, until_s: float) -> Ticket | Shut:
        """Leave for one call that ends by a moment of `time.monotonic()`. Asks the database only to claim a probe."""
        shut = self.shut(provider_id)
        if shut is not None:
            return shut
        if self._breakers.of(provider_id).opened_at is not None:
            for_ms = max(0, int((until_s - time.monotonic()) * 1000)) + BREAKER_CLAIM_SPARE_MS
            token = await self._breakers.claim(provider_id, for_ms)
            if token is not None:
                return Ticket(self._breakers, provider_id, token, token)
        breaker = self._breakers.of(provider_id)  # the claim may have found it closed
        if breaker.opened_at is None:
            return Ticket(self._breakers, provider_id, breaker.version, None)
        return self.shut(provider_id) or PROBED

    def on_trial(self, provider_id: str) -> bool:
        """Whether only one call at a time may be made, to find out whether the provider is back."""
        return self._breakers.of(provider_id).opened_at is not None


PROBED: Final = Shut("another request is finding out whether it is back", RETRY_AFTER_S)


def shut_now(provider: Provider, breaker: Breaker) -> Shut | None:
    """Why a provider is not to be asked now, by its windows and its breaker; None: it may be, or one call may try."""
    if provider.maintenance and (shut := in_maintenance(provider, datetime.now(UTC))) is not None:
        return shut
    return None if breaker.opened_at is None else shut_by(breaker, time.monotonic())


def in_maintenance(provider: Provider, now: datetime) -> Shut | None:
    """Whether a maintenance window holds."""
    window = provider.in_maintenance(now)
    if window is None:
        return None
    left_s = (window.ends_at - now).total_seconds()
    return Shut(f"maintenance until {window.ends_at:%Y-%m-%d %H:%M:%S} UTC: {window.reason}", _after(left_s))


def shut_by(breaker: Breaker, now_s: float) -> Shut | None:
    """Whether an open breaker lets nobody through; None once its cool-down is over and nobody probes."""
    if breaker.opened_at is None:
        return None
    if now_s < breaker.retry_at_s:
        return Shut(breaker_text(breaker), _after(breaker.retry_at_s - now_s))
    if now_s < breaker.probe_until_s:
        return Shut(f"{breaker_text(breaker)}; one call is trying now", RETRY_AFTER_S)
    return None


def breaker_text(breaker: Breaker) -> str:
    """Since when a breaker is open, and why."""
    return f"circuit breaker open since {breaker.opened_at:%Y-%m-%d %H:%M:%S} UTC: {breaker.reason}"


def _after(left_s: float) -> int:
    return min(max(1, ceil(left_s)), RETRY_AFTER_S_MAX)
