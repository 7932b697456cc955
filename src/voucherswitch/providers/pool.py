"""The providers of this process: a connector for each one that the catalogue names, rebuilt when its settings change.

A provider whose settings are missing or wrong has no connector and a reason; the others are untouched.
"""

import asyncio
from collections import Counter
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog
from msgspec import Struct

from voucherswitch.catalogue.snapshot import Catalogue, Provider
from voucherswitch.catalogue.store import open_secrets
from voucherswitch.providers.contract.capabilities import Capabilities
from voucherswitch.providers.contract.connector import Connector, ProviderSettingsError
from voucherswitch.providers.registry import build
from voucherswitch.security.vault import Vault, VaultError

log = structlog.get_logger(__name__)


class ProviderBusyError(Exception):
    """As many requests as this process allows are in work with one provider. Nothing was begun."""


class Place:
    """One of a provider's places: held from before a request is recorded until its call has ended.

    Leaving the `with` block gives it back, unless it was lent to a call, which may outlive its request.
    """

    def __init__(self, taken: Counter[str], provider_id: str) -> None:
        self.provider_id = provider_id
        self._taken = taken
        self._held = True
        self._lent = False
        taken[provider_id] += 1

    def lend(self, call: "asyncio.Task[Any]") -> None:
        """Hold the place until the call has ended, however it ends."""
        self._lent = True
        call.add_done_callback(lambda _: self._give_back())

    def __enter__(self) -> "Place":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Give it back, unless it was lent to a call."""
        if not self._lent:
            self._give_back()

    def _give_back(self) -> None:
        if self._held:
            self._held = False
            self._taken[self.provider_id] -= 1


class _Connected(Struct):
    """A provider with its connector, as of one version of its settings."""

    provider: Provider
    connector: Connector
    in_flight: int = 0
    retired: bool = False


class _Use:
    """A connector in use: it is not closed before this has ended. Of a class, which costs a fifth of a generator."""

    __slots__ = ("_known",)

    def __init__(self, known: _Connected | None) -> None:
        self._known = known

    async def __aenter__(self) -> Connector | None:
        known = self._known
        if known is None:
            return None
        known.in_flight += 1
        return known.connector

    async def __aexit__(self, *_: object) -> None:
        known = self._known
        if known is None:
            return
        known.in_flight -= 1
        if known.retired and known.in_flight == 0:
            await known.connector.close()


class ProviderPool:
    """Connectors by provider id. `sandbox`: providers may be on this machine."""

    def __init__(self, vault: Vault, in_flight_max: int, *, sandbox: bool) -> None:
        self._vault = vault
        self._in_flight_max = in_flight_max
        self._sandbox = sandbox
        self._connected: dict[str, _Connected] = {}
        self._taken: Counter[str] = Counter()  # places by provider id, whatever version of its settings they began with
        self.faults: dict[str, str] = {}  # provider id -> why it has no connector
        self.capabilities: dict[str, Capabilities] = {}

    async def refresh(self, catalogue: Catalogue) -> None:
        """Build connectors for new and changed providers, and retire those that are gone."""
        for provider in catalogue.providers.values():
            known = self._connected.get(provider.id)
            if known is not None and _same(known.provider, provider):
                known.provider = provider
                continue
            await self._replace(provider)
        for provider_id in set(self._connected) - set(catalogue.providers):
            await self._retire(provider_id)

    async def _replace(self, provider: Provider) -> None:
        await self._retire(provider.id)
        try:
            settings = dict(provider.settings) | open_secrets(self._vault, provider)
            connector = build(provider.connector, provider.id, settings, sandbox=self._sandbox)
        except (ProviderSettingsError, VaultError) as error:
            self.faults[provider.id] = str(error)
            log.error("provider cannot be used", provider=provider.id, reason=str(error))
            return
        except Exception as error:
            # Whatever it is, the others must be served, and the changes of the catalogue must come into force.
            self.faults[provider.id] = (
                f"our fault: the connector could not be built ({type(error).__name__}); see the log"
            )
            log.exception("provider cannot be used", provider=provider.id)
            return
        self.faults.pop(provider.id, None)
        self._connected[provider.id] = _Connected(provider, connector)
        self.capabilities[provider.id] = connector.capabilities

    async def _retire(self, provider_id: str) -> None:
        known = self._connected.pop(provider_id, None)
        self.capabilities.pop(provider_id, None)
        if known is None:
            return
        known.retired = True
        if known.in_flight == 0:
            await known.connector.close()

    def reserve(self, provider_id: str) -> Place:
        """Take one of the provider's places for a request that will ask it.

        Advices need none: the sender has a bound of its own, and a request that delivers one first holds a place.

        Raises:
            ProviderBusyError: there is none.
        """
        if self._taken[provider_id] >= self._in_flight_max:
            raise ProviderBusyError(f"{self._in_flight_max} requests are in work with {provider_id}")
        return Place(self._taken, provider_id)

    def use(self, provider_id: str) -> AbstractAsyncContextManager[Connector | None]:
        """Lend a connector for one operation; None when the provider has none."""
        return _Use(self._connected.get(provider_id))

    async def close(self) -> None:
        """Close every connector."""
        await asyncio.gather(*(known.connector.close() for known in self._connected.values()))
        self._connected.clear()


def _same(old: Provider, new: Provider) -> bool:
    return old.connector == new.connector and dict(old.settings) == dict(new.settings) and old.secrets == new.secrets
