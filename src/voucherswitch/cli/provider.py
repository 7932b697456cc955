"""`voucherswitch provider`: the service providers that requests are sent to, and how they are reached."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voucherswitch.cli import provider_check, provider_new, provider_state
from voucherswitch.cli.actor import Why, changing
from voucherswitch.cli.context import with_database
from voucherswitch.cli.errors import NOT_FOUND, CommandError, usage_error
from voucherswitch.cli.output import JsonFlag, print_json, print_table, when

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.catalogue.snapshot import Maintenance, Provider
    from voucherswitch.config.settings import Settings

app = typer.Typer(help="Service providers: where requests are sent.", no_args_is_help=True, rich_markup_mode=None)


@app.command(name="list")
def show(as_json: JsonFlag = False) -> None:
    """List all providers with their settings. Secrets are named, never shown.

    \b
    Example:
      voucherswitch provider list
    """
    rows = with_database(_described)
    if as_json:
        print_json(rows)
        return
    table = [
        (
            row["provider_id"], row["connector"],
            ", ".join(f"{key}={_shown(value)}" for key, value in row["settings"].items()),
            ", ".join(row["secrets"]), "; ".join(row["notes"]),
        )
        for row in rows
    ]  # fmt: skip
    print_table(("Provider", "Connector", "Settings", "Secrets", "Notes"), table, empty="No providers.")


@app.command(name="show")
def show_one(
    provider_id: Annotated[str, typer.Argument(metavar="ID", help="Its id.", show_default=False)],
    as_json: JsonFlag = False,
) -> None:
    """Show one provider: settings, whether it is asked now and why not, and its maintenance windows. Exit code 3: none.

    \b
    Example:
      voucherswitch provider show sandbox
    """
    found = [row for row in with_database(_described) if row["provider_id"] == provider_id]
    if not found:
        raise CommandError(f"provider {provider_id} does not exist; see: voucherswitch provider list", NOT_FOUND)
    [row] = found
    if as_json:
        print_json(row)
        return
    lines = [
        ("Provider", row["provider_id"]),
        ("Connector", row["connector"]),
        ("State", "; ".join(row["notes"]) or "asked"),
        *(("Window", _window(window)) for window in row["maintenance"]),
        *((key, _shown(value)) for key, value in row["settings"].items()),
        *((key, "(sealed)") for key in row["secrets"]),
    ]
    print_table(("What", "Value"), lines, empty="")


@app.command(name="set")
def change(
    provider_id: Annotated[str, typer.Argument(metavar="ID", help="Its id.", show_default=False)],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="JSON values, or text; tls.verify is a key within tls."),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY[=VALUE]", help="A setting that is sealed; asked for when VALUE is not given."),
    ] = None,
    unset: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Take a setting or secret out.")] = None,
    connector: Annotated[str | None, typer.Option(metavar="NAME", help="Needed for a new provider: sandbox, …")] = None,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Send it requests.")] = None,
    why: Why = None,
) -> None:
    """Change a provider's settings, or add a provider with --connector. In force within two seconds.

    Settings that are not named stay. The connector checks all of them before anything is stored. In production somebody
    else must agree: asked for with --why, done by the same command once it is agreed to, with the secrets that are
    given then. --disabled alone is done at once.

    \b
    Examples:
      voucherswitch provider set sandbox total_timeout_ms=8000
      voucherswitch provider set mobi --connector sandbox base_url=https://mobi.example --secret api_key
      voucherswitch provider set sandbox --disabled
    """
    if not (settings or secret or unset or connector or enabled is not None):
        usage_error("nothing to change: name at least one KEY=VALUE or option")
    changes = dict(_pair(text) for text in settings or ())
    secrets = dict(_secret(text) for text in secret or ())
    if both := changes.keys() & secrets.keys():
        usage_error(f"{min(both)} is given as a setting and as a secret")

    async def work(connection: "asyncpg.Connection", own: "Settings") -> bool:
        return await _change(connection, own, provider_id, connector, changes, secrets, list(unset or ()), enabled, why)

    added = with_database(work)
    print(f"Provider {provider_id} {'added' if added else 'changed'}.")


async def _change(
    connection: "asyncpg.Connection",
    settings: "Settings",
    provider_id: str,
    connector: str | None,
    changes: dict[str, Any],
    new_secrets: dict[str, str],
    unset: list[str],
    enabled: bool | None,
    why: str | None,
) -> bool:
    """Put the new settings together, have the connector check them, store them; returns whether it is a new one."""
    from voucherswitch.catalogue import store
    from voucherswitch.catalogue.snapshot import Provider
    from voucherswitch.journal.statements import SQL
    from voucherswitch.process import open_vault
    from voucherswitch.providers import registry
    from voucherswitch.providers.contract.settings import secret_keys

    vault = await open_vault(settings, connection)
    catalogue = await store.load(connection)
    known = catalogue.providers.get(provider_id)
    if known is None and connector is None:
        raise CommandError(f"provider {provider_id} does not exist; add it with --connector, or see: provider list")
    plain: dict[str, Any] = json.loads(json.dumps(dict(known.settings))) if known else {}
    secrets = store.open_secrets(vault, known) if known else {}
    for key, value in changes.items():
        _put(plain, key, value)
        secrets.pop(key, None)
    for key, text in new_secrets.items():
        secrets[key] = text
        plain.pop(key, None)
    for key in unset:
        if secrets.pop(key, None) is None and not _take(plain, key):
            raise CommandError(f"provider {provider_id} has no setting {key}")
    name = connector or (known.connector if known else "")
    if name in registry.names() and (bare := changes.keys() & secret_keys(registry.settings_type(name))):
        raise CommandError(f"{min(bare)} opens a door: give it by --secret {min(bare)}, so that it is sealed")
    await registry.build(name, provider_id, plain | secrets, sandbox=settings.is_sandbox).close()
    on = enabled if enabled is not None else (known is None or known.enabled)
    before = {} if known is None else store.open_secrets(vault, known)
    sealed = {
        key: "removed" if key not in secrets else "changed" if key in before else "set"
        for key in sorted(before.keys() | secrets.keys())
        if before.get(key) != secrets.get(key)
    }
    action = "provider.add" if known is None else "provider.change"
    if sealed and known is not None and plain == dict(known.settings) and on == known.enabled:
        action = "secret.set"
    async with changing(connection, action, "provider", provider_id, why=why) as change:
        if known is not None and not sealed and plain == dict(known.settings) and name == known.connector and not on:
            change.needs = None  # minutes matter
        if known is not None:
            change.before = {"connector": known.connector, "settings": dict(known.settings), "enabled": known.enabled}
        change.after = {"connector": name, "settings": plain, "enabled": on, "sealed": sealed}
        # Read, changed and written as a whole: somebody else's change in between must not be lost.
        await connection.execute("LOCK TABLE provider IN SHARE ROW EXCLUSIVE MODE")
        if await connection.fetchval(SQL["catalogue_version"]) != catalogue.version:
            raise CommandError("somebody else changed the catalogue at this moment; nothing was changed, try again")
        provider = Provider(id=provider_id, connector=name, settings=plain, enabled=on)
        await store.put_provider(connection, vault, provider, secrets)
    return known is None


async def _described(connection: "asyncpg.Connection", settings: "Settings") -> list[dict[str, Any]]:
    from voucherswitch.catalogue import store
    from voucherswitch.process import open_vault
    from voucherswitch.providers.breaker import NEVER_OPENED, read
    from voucherswitch.providers.gate import breaker_text, shut_now
    from voucherswitch.providers.pool import ProviderPool

    catalogue = await store.load(connection)
    breakers = await read(connection)
    vault = await open_vault(settings, connection)
    pool = ProviderPool(vault, in_flight_max=1, sandbox=settings.is_sandbox)
    try:
        await pool.refresh(catalogue)
        faults = dict(pool.faults)
    finally:
        await pool.close()

    def row(provider: "Provider") -> dict[str, Any]:
        fault = faults.get(provider.id)
        breaker = breakers.get(provider.id, NEVER_OPENED)
        shut = shut_now(provider, breaker)
        if shut is not None:
            state = [f"{shut.why}; worth a try in {shut.retry_after_s} s or more"]
        elif breaker.opened_at is not None:
            state = [f"{breaker_text(breaker)}; the next call tries"]
        else:
            state = []
        notes = [
            *([] if provider.enabled else ["disabled"]),
            *(["advices paused"] if provider.saf_paused else []),
            *([f"cannot be used: {fault}"] if fault else []),
            *state,
        ]
        return {
            "provider_id": provider.id,
            "connector": provider.connector,
            "enabled": provider.enabled,
            "saf_paused": provider.saf_paused,
            "breaker": "closed" if breaker.opened_at is None else "open" if shut is not None else "half_open",
            "breaker_open_since": breaker.opened_at,
            "breaker_reason": None if breaker.opened_at is None else breaker.reason,
            "maintenance": list(provider.maintenance),
            "settings": dict(provider.settings),
            "secrets": sorted(store.open_secrets(vault, provider)) if fault is None else [],
            "notes": notes,
        }

    return [row(provider) for provider in catalogue.providers.values()]


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        usage_error(f"{text!r} is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _secret(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key:
        usage_error(f"{text!r} is not KEY=VALUE")
    return key, value if equals else typer.prompt(key, hide_input=True)


def _put(settings: dict[str, Any], key: str, value: object) -> None:
    """Set a key; `tls.verify` is the key `verify` within `tls`."""
    *parents, last = key.split(".")
    for parent in parents:
        inner = settings.get(parent)
        settings[parent] = dict(inner) if isinstance(inner, dict) else {}
        settings = settings[parent]
    settings[last] = value


def _take(settings: dict[str, Any], key: str) -> bool:
    *parents, last = key.split(".")
    for parent in parents:
        inner = settings.get(parent)
        if not isinstance(inner, dict):
            return False
        settings = inner
    return settings.pop(last, None) is not None


def _window(window: "Maintenance") -> str:
    return f"{window.id}: {when(window.starts_at)} to {when(window.ends_at)}: {window.reason}"


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


provider_check.register(app)
provider_new.register(app)
provider_state.register(app)
