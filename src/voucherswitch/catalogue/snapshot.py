"""The catalogue as every worker holds it in memory: immutable, replaced as a whole when the database changes."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from voucherswitch.message.parties import Institution
from voucherswitch.security.oauth.keys import TokenKey
from voucherswitch.security.oauth.scopes import Scope
from voucherswitch.security.peer import Address, ClientCertificate, Network


class Originator(Struct, frozen=True, kw_only=True):
    """Who sends us requests, and what it may do. `id` is its user name and the `client.id` of its messages."""

    id: str
    name: str
    password_hash: str
    enabled: bool = True
    single: bool = False
    deadline_s: int = 60
    allow_request_id_reuse: bool = False
    provision_decline_status: int = 400
    settle_only_confirmed: bool = False
    redemption: bool = False
    lookup_before_redemption: bool = False
    product_lookup: bool = False
    catalogue_kept: bool = True
    lookup_pending_status: int = 504
    single_confirm_delay_s: int | None = None
    tolerated_fields: frozenset[str] = frozenset()
    receivers: frozenset[str] | None = None
    sources: tuple[Network, ...] | None = None  # None: wherever the listener admits
    requests_per_s: int | None = None  # per switch worker; None: as many as come
    certificates: frozenset[str] = frozenset()  # fingerprints and subjects; empty: none is needed
    token_generation: int = 0  # that of our tokens which count
    tokens_revoked_at: datetime | None = None  # an outside issuer's tokens count if they were issued later

    @property
    def confirm_delay_s(self) -> int:
        """How long the switch's own confirmation waits, so that a reversal of a lost answer can overtake it (A10)."""
        return self.deadline_s + 15 if self.single_confirm_delay_s is None else self.single_confirm_delay_s

    def entitled(self, receiver_id: str) -> bool:
        """Whether it may use vouchers of this voucher provider."""
        return self.receivers is None or receiver_id in self.receivers

    @property
    def scopes(self) -> frozenset[Scope]:
        """What it may do with a token: what it may do at all."""
        optional = {
            Scope.REDEEM: self.redemption,
            Scope.REFUND: self.redemption,
            Scope.LOOKUP: self.redemption,
            Scope.PRODUCTS: self.product_lookup,
        }
        return frozenset(scope for scope in Scope if optional.get(scope, True))

    def may_come_from(self, source: Address) -> bool:
        """Whether its requests may come from this address."""
        return self.sources is None or any(source in network for network in self.sources)

    def may_present(self, certificate: ClientCertificate | None) -> bool:
        """Whether its requests may come with this certificate, or without one (N11)."""
        if certificate is None:
            return not self.certificates
        return certificate.fingerprint in self.certificates or certificate.subject in self.certificates


class OAuthClient(Struct, frozen=True, kw_only=True):
    """A program that fetches tokens in an originator's name.

    `registration` tells it from one of the same id that was removed: when it was registered, in microseconds.
    """

    id: str
    originator_id: str
    secret_hash: str
    grants: frozenset[str]
    scopes: frozenset[Scope]
    registration: int
    enabled: bool = True


class VoucherProvider(Struct, frozen=True, kw_only=True):
    """A brand: the `receiver` of a request, and the institution through which its sales settle."""

    receiver: Institution
    settlement: Institution


class ChannelListing(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one channel shows a product."""

    channel_name: str
    display_name: str | None = None
    display_category: str | None = None
    sort_order: float | None = None
    channel_product_id: str | None = None


class Product(Struct, frozen=True, kw_only=True):
    """What is sold: a fixed value (`amount_cents`) or one within limits (`min_cents` to `max_cents`)."""

    id: str
    receiver_id: str
    name: str
    barcode: str | None = None
    description: str | None = None
    amount_cents: int | None = None
    min_cents: int | None = None
    max_cents: int | None = None
    enabled: bool = True
    listed: bool = True
    channels: tuple[ChannelListing, ...] = ()


class Route(Struct, frozen=True, kw_only=True):
    """Where requests for a product of a voucher provider go. Without `product_id`: requests that name no product."""

    id: int
    product_id: str | None
    receiver_id: str
    provider_id: str
    provider_product: str
    default_cents: int | None = None
    priority: int = 1
    weight: int = 1
    enabled: bool = True


class Maintenance(Struct, frozen=True, kw_only=True):
    """A time in which a provider is not to be asked, `ends_at` not included."""

    id: int
    provider_id: str
    starts_at: datetime
    ends_at: datetime
    reason: str


class Provider(Struct, frozen=True, kw_only=True):
    """One service provider's connection. `secrets` are sealed under the vault key, as JSON.

    `maintenance` holds the windows that were not over when the catalogue was read, the earliest first.
    """

    id: str
    connector: str
    settings: Mapping[str, Any]
    secrets: bytes | None = None
    enabled: bool = True
    saf_paused: bool = False
    maintenance: tuple[Maintenance, ...] = ()

    def in_maintenance(self, now: datetime) -> Maintenance | None:
        """The window that holds now; of several the one that ends last."""
        running = [window for window in self.maintenance if window.starts_at <= now < window.ends_at]
        return max(running, key=lambda window: window.ends_at, default=None)


class Restoration(Struct, frozen=True):
    """The journal was restored and has forgotten what came after `restored_to`; both moments are UTC."""

    restored_to: datetime
    marked_at: datetime


class Catalogue(Struct, frozen=True, kw_only=True):
    """Everything configured, at one version."""

    version: int
    originators: Mapping[str, Originator] = MappingProxyType({})
    voucher_providers: Mapping[str, VoucherProvider] = MappingProxyType({})
    products: Mapping[str, Product] = MappingProxyType({})
    routes: Mapping[tuple[str, str | None], tuple[Route, ...]] = MappingProxyType({})  # by receiver and product
    providers: Mapping[str, Provider] = MappingProxyType({})
    oauth_clients: Mapping[str, OAuthClient] = MappingProxyType({})
    token_keys: tuple[TokenKey, ...] = ()
    restoration: Restoration | None = None  # while it is set, an unknown id may be a forgotten one


EMPTY = Catalogue(version=0)
