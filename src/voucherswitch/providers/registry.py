"""The connectors this switch knows, by name. A provider of the catalogue names one of them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from voucherswitch.providers.contract.capabilities import Capabilities
from voucherswitch.providers.contract.connector import Connector, ConnectorFactory, ProviderSettingsError
from voucherswitch.providers.sandbox.capabilities import CAPABILITIES as SANDBOX
from voucherswitch.providers.sandbox.connector import sandbox_connector


class KnownConnector(Struct, frozen=True):
    """A connector that can be named. `capabilities` is its record before a provider's settings change it."""

    factory: ConnectorFactory
    capabilities: Capabilities


CONNECTORS: Final[Mapping[str, KnownConnector]] = MappingProxyType(
    {"sandbox": KnownConnector(sandbox_connector, SANDBOX)}
)


def build(connector_name: str, provider_id: str, settings: Mapping[str, object]) -> Connector:
    """Build the connector of one provider.

    Raises:
        ProviderSettingsError: no connector of that name, or settings it cannot work with; one line says what to set.
    """
    known = CONNECTORS.get(connector_name)
    if known is None:
        raise ProviderSettingsError(
            f"providers.{provider_id}: there is no connector {connector_name!r}; set one of {', '.join(CONNECTORS)}"
        )
    return known.factory(provider_id, settings)
