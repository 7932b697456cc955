"""Reads and writes the catalogue in the database. Writers are the CLI and, later, the console; workers only read."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeAlias

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from voucherswitch.catalogue.snapshot import (
    Catalogue,
    ChannelListing,
    Maintenance,
    OAuthClient,
    Originator,
    Product,
    Provider,
    Restoration,
    Route,
    VoucherProvider,
)
from voucherswitch.config.limits import (
    MAINTENANCE_AHEAD_DAYS_MAX,
    MAINTENANCE_DAYS_MAX,
    MAINTENANCE_KEPT_DAYS,
    MAINTENANCE_LISTED_MAX,
    MAINTENANCE_REASON_CHARS_MAX,
    MAINTENANCE_WINDOWS_MAX,
    SOURCES_PER_ORIGINATOR_MAX,
)
from voucherswitch.journal.statements import SQL
from voucherswitch.message.parties import Institution
from voucherswitch.security.oauth.keys import KeyState, TokenKey
from voucherswitch.security.oauth.scopes import Scope
from voucherswitch.security.sealed import PROVIDER
from voucherswitch.security.vault import Vault

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy


class CatalogueError(Exception):
    """A change cannot be made. The text says which and what to do, in one line."""


async def load(connection: Connection) -> Catalogue:
    """Read everything at one version."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        version = await connection.fetchval(SQL["catalogue_version"])
        originators = [_originator(row) for row in await connection.fetch(SQL["load_originators"])]
        brands = [_voucher_provider(row) for row in await connection.fetch(SQL["load_voucher_providers"])]
        products = [_product(row) for row in await connection.fetch(SQL["load_products"])]
        routes = [Route(**row) for row in await connection.fetch(SQL["load_routes"])]
        windows = [Maintenance(**row) for row in await connection.fetch(SQL["load_maintenance"])]
        providers = [_provider(row, windows) for row in await connection.fetch(SQL["load_providers"])]
        clients = [_oauth_client(row) for row in await connection.fetch(SQL["load_oauth_clients"])]
        keys = [_token_key(row) for row in await connection.fetch(SQL["load_token_keys"])]
        restored = await connection.fetchrow(SQL["open_restoration"])
    by_target: dict[tuple[str, str | None], tuple[Route, ...]] = {}
    for route in routes:
        key = (route.receiver_id, route.product_id)
        by_target[key] = (*by_target.get(key, ()), route)
    return Catalogue(
        version=version,
        originators=MappingProxyType({item.id: item for item in originators}),
        voucher_providers=MappingProxyType({item.receiver.id: item for item in brands}),
        products=MappingProxyType({item.id: item for item in products}),
        routes=MappingProxyType(by_target),
        providers=MappingProxyType({item.id: item for item in providers}),
        oauth_clients=MappingProxyType({item.id: item for item in clients}),
        token_keys=tuple(keys),
        restoration=None if restored is None else Restoration(**restored),
    )


def _originator(row: asyncpg.Record) -> Originator:
    values = dict(row)
    values["tolerated_fields"] = frozenset(values["tolerated_fields"])
    values["receivers"] = None if values["receivers"] is None else frozenset(values["receivers"])
    values["sources"] = None if values["sources"] is None else tuple(values["sources"])
    values["certificates"] = frozenset(values["certificates"])
    return Originator(**values)


def _oauth_client(row: asyncpg.Record) -> OAuthClient:
    values = dict(row)
    values["grants"] = frozenset(values["grants"])
    values["scopes"] = frozenset(map(Scope, values["scopes"]))
    return OAuthClient(**values)


def _token_key(row: asyncpg.Record) -> TokenKey:
    return TokenKey(**(dict(row) | {"state": KeyState(row["state"])}))


def _voucher_provider(row: asyncpg.Record) -> VoucherProvider:
    return VoucherProvider(
        receiver=Institution(id=row["receiver_id"], name=row["name"]),
        settlement=Institution(id=row["settlement_id"], name=row["settlement_name"]),
    )


def _product(row: asyncpg.Record) -> Product:
    values = dict(row)
    values["channels"] = msgspec.json.decode(values["channels"], type=tuple[ChannelListing, ...])
    return Product(**values)


def _provider(row: asyncpg.Record, windows: Sequence[Maintenance]) -> Provider:
    values = dict(row)
    values["maintenance"] = tuple(window for window in windows if window.provider_id == row["id"])
    values["settings"] = MappingProxyType(json.loads(values["settings"]))
    return Provider(**values)


# --- writing -----------------------------------------------------------------------------------------------------

ORIGINATOR_SETTINGS = (
    "name", "enabled", "single", "deadline_s", "allow_request_id_reuse", "provision_decline_status",
    "settle_only_confirmed", "redemption", "lookup_before_redemption", "product_lookup", "catalogue_kept",
    "lookup_pending_status", "single_confirm_delay_s", "tolerated_fields", "receivers", "sources", "requests_per_s",
    "password_hash",
)  # fmt: skip


async def add_originator(connection: Connection, originator_id: str, values: dict[str, Any]) -> None:
    """Register an originator; `values` are columns of ORIGINATOR_SETTINGS.

    Raises:
        CatalogueError: it exists already, or a value breaks a rule.
    """
    names = _known(values)
    marks = ", ".join(f"${number}" for number in range(2, len(names) + 2))
    columns = ", ".join(names)
    text = f"INSERT INTO originator (originator_id, {columns}) VALUES ($1, {marks})"  # noqa: S608 (names are checked)
    try:
        await connection.execute(text, originator_id, *(values[name] for name in names))
    except asyncpg.UniqueViolationError as error:
        raise CatalogueError(
            f"originator {originator_id} exists already; change it with: originator set {originator_id}"
        ) from error
    except asyncpg.CheckViolationError as error:
        raise CatalogueError(_broken_rule(error)) from error


async def set_originator(connection: Connection, originator_id: str, values: dict[str, Any]) -> None:
    """Change settings of an originator.

    Raises:
        CatalogueError: it does not exist, or a value breaks a rule.
    """
    names = _known(values)
    changes = ", ".join(f"{name} = ${number}" for number, name in enumerate(names, 2))
    if "password_hash" in values:  # whoever had the old password has none of the tokens that it fetched, either
        changes += ", token_generation = token_generation + 1"
    text = f"UPDATE originator SET {changes}, changed_at = clock_timestamp() WHERE originator_id = $1 RETURNING 1"  # noqa: S608 (names are checked)
    try:
        found = await connection.fetchval(text, originator_id, *(values[name] for name in names))
    except asyncpg.CheckViolationError as error:
        raise CatalogueError(_broken_rule(error)) from error
    if found is None:
        raise CatalogueError(f"originator {originator_id} does not exist; see: originator list")


def _known(values: dict[str, Any]) -> list[str]:
    unknown = sorted(set(values) - set(ORIGINATOR_SETTINGS))
    if unknown:
        raise CatalogueError(f"an originator has no setting {unknown[0]}; it has {', '.join(ORIGINATOR_SETTINGS)}")
    if not values:
        raise CatalogueError("nothing to change: name at least one setting")
    return list(values)


_RULES = {
    "originator_deadline_s_check": "deadline must be 2 to 300 seconds",
    "originator_provision_decline_status_check": "provision decline status must be 400 or 404",
    "originator_lookup_pending_status_check": "lookup pending status must be 504 or 102",
    "originator_requests_per_s_check": "requests in a second must be 1 to 100000",
    "originator_sources_check": f"an originator has 1 to {SOURCES_PER_ORIGINATOR_MAX} sources, or any",
    "originator_check": "a lookup before each redemption needs redemption: add --redemption",
    "product_amount_cents_check": "a product's amount must be above 0 cents",
    "product_check": "a product has either a fixed amount or both limits",
    "product_check1": "a product with limits needs both of them",
    "product_check2": "a product's limits must be above 0 cents, the lower one first",
    "route_weight_check": "a route's weight must be 1 to 1000",
    "route_default_cents_check": "a route's default value must be above 0 cents",
}


def _broken_rule(error: asyncpg.CheckViolationError) -> str:
    return _RULES.get(error.constraint_name or "", f"refused by the rule {error.constraint_name}")


async def put_voucher_provider(connection: Connection, brand: VoucherProvider) -> None:
    """Add a voucher provider or replace its names."""
    await connection.execute(
        SQL["put_voucher_provider"], brand.receiver.id, brand.receiver.name, brand.settlement.id, brand.settlement.name
    )


async def put_product(connection: Connection, product: Product) -> None:
    """Add a product or replace it.

    Raises:
        CatalogueError: its voucher provider is unknown or its value breaks a rule.
    """
    try:
        await connection.execute(
            SQL["put_product"], product.id, product.receiver_id, product.name, product.barcode, product.description,
            product.amount_cents, product.min_cents, product.max_cents, product.enabled, product.listed,
            msgspec.json.encode(product.channels).decode(),
        )  # fmt: skip
    except asyncpg.ForeignKeyViolationError as error:
        raise CatalogueError(
            f"product {product.id}: voucher provider {product.receiver_id} is not known; add it first"
        ) from error
    except asyncpg.CheckViolationError as error:
        raise CatalogueError(f"product {product.id}: {_broken_rule(error)}") from error


async def put_route(connection: Connection, route: Route) -> int:
    """Add a route, or change the one between the same ends; returns its id.

    Raises:
        CatalogueError: an end is unknown or a value breaks a rule.
    """
    try:
        route_id: int = await connection.fetchval(
            SQL["put_route"], route.product_id, route.receiver_id, route.provider_id, route.provider_product,
            route.default_cents, route.priority, route.weight, route.enabled,
        )  # fmt: skip
    except asyncpg.ForeignKeyViolationError as error:
        missing = {
            "route_product_id_fkey": f"product {route.product_id}",
            "route_receiver_id_fkey": f"voucher provider {route.receiver_id}",
            "route_provider_id_fkey": f"provider {route.provider_id}",
        }.get(error.constraint_name or "", "one end")
        raise CatalogueError(f"route not added: {missing} is not known; add it first") from error
    except asyncpg.CheckViolationError as error:
        raise CatalogueError(f"route not added: {_broken_rule(error)}") from error
    return route_id


async def put_provider(connection: Connection, vault: Vault, provider: Provider, secrets: dict[str, str]) -> None:
    """Add a provider or replace its settings; `secrets` are sealed before they are stored."""
    sealed = vault.seal(msgspec.json.encode(secrets), PROVIDER.context("secrets", provider.id)) if secrets else None
    await connection.execute(
        SQL["put_provider"], provider.id, provider.connector, json.dumps(dict(provider.settings)), sealed,
        provider.enabled,
    )  # fmt: skip


def open_secrets(vault: Vault, provider: Provider) -> dict[str, str]:
    """Open a provider's secrets."""
    if provider.secrets is None:
        return {}
    return msgspec.json.decode(
        vault.open(provider.secrets, PROVIDER.context("secrets", provider.id)), type=dict[str, str]
    )


async def pause_saf(connection: Connection, provider_id: str, paused: bool) -> None:
    """Stop or resume the delivery of a provider's advices.

    Raises:
        CatalogueError: there is no such provider.
    """
    if await connection.fetchval(SQL["pause_saf"], provider_id, paused) is None:
        raise CatalogueError(f"provider {provider_id} does not exist; see: provider list")


async def add_maintenance(
    connection: Connection, provider_id: str, starts_at: datetime, ends_at: datetime, reason: str
) -> int:
    """Add a maintenance window; returns its number. Times have a zone.

    Raises:
        CatalogueError: there is no such provider, the window makes no sense, or too many lie ahead.
    """
    now = await connection.fetchval("SELECT clock_timestamp()")
    if ends_at <= starts_at:
        raise CatalogueError("a maintenance window ends after it starts")
    if ends_at <= now:
        raise CatalogueError("the maintenance window would be over already")
    if ends_at - starts_at > timedelta(days=MAINTENANCE_DAYS_MAX):
        raise CatalogueError(
            f"a maintenance window is {MAINTENANCE_DAYS_MAX} days at most; a provider that is gone is disabled: "
            f"provider set {provider_id} --disabled"
        )
    if starts_at - now > timedelta(days=MAINTENANCE_AHEAD_DAYS_MAX):
        raise CatalogueError(f"a maintenance window starts within {MAINTENANCE_AHEAD_DAYS_MAX} days; check the year")
    if not reason.strip() or len(reason) > MAINTENANCE_REASON_CHARS_MAX or not reason.isprintable():
        raise CatalogueError(f"the reason is one line of 1 to {MAINTENANCE_REASON_CHARS_MAX} characters")
    async with connection.transaction():
        if await connection.fetchval(SQL["hold_provider"], provider_id) is None:
            raise CatalogueError(f"provider {provider_id} does not exist; see: provider list")
        window_id: int | None = await connection.fetchval(
            SQL["add_maintenance"], provider_id, starts_at, ends_at, reason.strip(), MAINTENANCE_WINDOWS_MAX,
            MAINTENANCE_KEPT_DAYS,
        )  # fmt: skip
    if window_id is None:
        raise CatalogueError(
            f"{MAINTENANCE_WINDOWS_MAX} windows of {provider_id} lie ahead already; end one: provider maintenance list"
        )
    return window_id


async def end_maintenance(connection: Connection, window_id: int) -> tuple[str, bool] | None:
    """End a window now: its provider, and whether it had begun. None: it is over, or never was."""
    row = await connection.fetchrow(SQL["end_maintenance"], window_id)
    return None if row is None else (row["provider_id"], row["had_begun"])


async def list_maintenance(connection: Connection, provider_id: str | None) -> list[Maintenance]:
    """The windows of one provider, or of all, by provider and time."""
    rows = await connection.fetch(SQL["list_maintenance"], provider_id, MAINTENANCE_LISTED_MAX)
    return [Maintenance(**row) for row in rows]
