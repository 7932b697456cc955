"""`voucherswitch originator`: who may send us requests, and what each of them may do."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voucherswitch.cli import originator_certificate, originator_changes, originator_client
from voucherswitch.cli.actor import Why, agreed_first
from voucherswitch.cli.context import load_settings, with_database
from voucherswitch.cli.errors import CommandError, usage_error
from voucherswitch.cli.output import JsonFlag, plain, print_json, print_table

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.catalogue.snapshot import Originator
    from voucherswitch.security.peer import Network

app = typer.Typer(help="Originators: who sends us requests.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(originator_certificate.app, name="certificate")
app.add_typer(originator_client.app, name="client")

Id = Annotated[str, typer.Argument(metavar="ID", help="Its user name, which is the `client.id` of its messages.")]
Name = Annotated[str | None, typer.Option(metavar="TEXT", help="Its name, for people.")]
Password = Annotated[str | None, typer.Option(help="Its password; asked for when not given.", show_default=False)]
Enabled = Annotated[bool | None, typer.Option("--enabled/--disabled", help="Whether it is served at all.")]
Single = Annotated[
    bool | None,
    typer.Option("--single/--dual", help="Who confirms: the switch (single) or it itself (dual, the default)."),
]
Reuse = Annotated[
    bool | None,
    typer.Option(
        "--allow-request-id-reuse/--no-allow-request-id-reuse",
        help="Let it use ids of final redemptions and refunds again. For certification; default no.",
    ),
]
Deadline = Annotated[
    int | None, typer.Option("--deadline-s", metavar="S", help="It gives up after so many seconds; default 60.")
]
DeclineStatus = Annotated[
    int | None, typer.Option(metavar="400|404", help="Status of a provider's final decline; default 400.")
]
SettleConfirmed = Annotated[
    bool | None,
    typer.Option("--settle-only-confirmed/--settle-all", help="Settle only what it confirmed; default all."),
]
Redemption = Annotated[
    bool | None,
    typer.Option("--redemption/--no-redemption", help="Redeem, refund and look up vouchers; off by default."),
]
LookupFirst = Annotated[
    bool | None,
    typer.Option(
        "--lookup-before-redemption/--no-lookup-before-redemption",
        help="Demand a voucher lookup before each redemption; default no.",
    ),
]
ProductLookup = Annotated[
    bool | None,
    typer.Option("--product-lookup/--no-product-lookup", help="Ask for the list of products; off by default."),
]
CatalogueKept = Annotated[
    bool | None,
    typer.Option(
        "--catalogue-kept/--own-catalogue", help="Who keeps its catalogue: the switch (default) or it itself."
    ),
]
PendingStatus = Annotated[
    int | None, typer.Option(metavar="504|102", help="Answer to a redemption lookup that is still open; default 504.")
]
ConfirmDelay = Annotated[
    int | None,
    typer.Option(
        "--single-confirm-delay-s",
        metavar="S",
        help="How long the switch's own confirmation waits; default deadline + 15.",
    ),
]
Tolerated = Annotated[
    list[str] | None,
    typer.Option(
        "--tolerated-field", metavar="PATH", help="Unknown field that is ignored, not refused; may be repeated."
    ),
]
Receivers = Annotated[
    list[str] | None,
    typer.Option("--receiver", metavar="ID", help="Voucher provider it may sell; may be repeated; default all."),
]
RequestsPerS = Annotated[
    int | None,
    typer.Option(
        "--requests-per-s",
        metavar="N",
        help="Its requests in a second that one switch process serves; more are answered 503. Default: all.",
    ),
]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        metavar="NET",
        help="Network it sends from (10.1.0.0/16, 192.0.2.7), and from no other; may be repeated.",
    ),
]


@app.command()
def add(
    originator_id: Id,
    name: Annotated[str, typer.Option(metavar="TEXT", help="Its name, for people.")],
    password: Password = None,
    enabled: Enabled = None,
    single: Single = None,
    allow_request_id_reuse: Reuse = None,
    deadline_s: Deadline = None,
    provision_decline_status: DeclineStatus = None,
    settle_only_confirmed: SettleConfirmed = None,
    redemption: Redemption = None,
    lookup_before_redemption: LookupFirst = None,
    product_lookup: ProductLookup = None,
    catalogue_kept: CatalogueKept = None,
    lookup_pending_status: PendingStatus = None,
    single_confirm_delay_s: ConfirmDelay = None,
    tolerated_fields: Tolerated = None,
    receivers: Receivers = None,
    sources: Sources = None,
    requests_per_s: RequestsPerS = None,
    why: Why = None,
) -> None:
    """Register an originator. Every switch process knows it within two seconds.

    Redemption (with refunds and voucher lookups) and product lookup are optional services and are OFF until they are
    asked for: an originator that is to try all of the interface needs --redemption --product-lookup.

    In production somebody else must agree: the first time this asks for it, with --why; once it is agreed to, the same
    command does it. So with all that changes originators, what they sell and where it goes.

    \b
    Examples:
      voucherswitch originator add 33334444 --name "Baobab Stores" --redemption --product-lookup
      voucherswitch originator add 33335555 --name "Marula App" --single --deadline-s 30
    """
    values = _given(locals())
    originator_changes.check_id(originator_id)
    after = originator_changes.added(values)

    async def may(connection: "asyncpg.Connection", _: object) -> None:
        await originator_changes.check_receivers(connection, values)
        await agreed_first(connection, "originator.add", "originator", originator_id, before=None, after=after, why=why)

    if not load_settings().is_sandbox:
        with_database(may)
    with_database(
        lambda connection, _: originator_changes.add(connection, originator_id, values, _asked(password), why)
    )
    print(f"Originator {originator_id} added.")


@app.command(name="set")
def change(
    originator_id: Id,
    name: Name = None,
    enabled: Enabled = None,
    single: Single = None,
    allow_request_id_reuse: Reuse = None,
    deadline_s: Deadline = None,
    provision_decline_status: DeclineStatus = None,
    settle_only_confirmed: SettleConfirmed = None,
    redemption: Redemption = None,
    lookup_before_redemption: LookupFirst = None,
    product_lookup: ProductLookup = None,
    catalogue_kept: CatalogueKept = None,
    lookup_pending_status: PendingStatus = None,
    single_confirm_delay_s: ConfirmDelay = None,
    tolerated_fields: Tolerated = None,
    receivers: Receivers = None,
    sources: Sources = None,
    requests_per_s: RequestsPerS = None,
    no_tolerated_fields: Annotated[
        bool, typer.Option("--no-tolerated-fields", help="Refuse every unknown field.")
    ] = False,
    all_receivers: Annotated[bool, typer.Option("--all-receivers", help="Let it sell every voucher provider.")] = False,
    any_source: Annotated[bool, typer.Option("--any-source", help="Let it send from wherever may connect.")] = False,
    any_rate: Annotated[bool, typer.Option("--any-rate", help="Serve as many of its requests as come.")] = False,
    default_confirm_delay: Annotated[
        bool, typer.Option("--default-confirm-delay", help="Let the switch's own confirmation wait deadline + 15 s.")
    ] = False,
    why: Why = None,
) -> None:
    """Change settings of an originator; what is not named stays. In force within two seconds.

    --tolerated-field, --receiver and --source replace the whole list. In production somebody else must agree, see
    `originator add`; --disabled alone is done at once.

    \b
    Examples:
      voucherswitch originator set 33334444 --redemption
      voucherswitch originator set 33334444 --receiver 44444444 --receiver 55555555
      voucherswitch originator set 33334444 --source 203.0.113.0/28 --source 198.51.100.7
      voucherswitch originator set 33334444 --disabled
    """
    for cleared, named, option in (
        (no_tolerated_fields, tolerated_fields, "--no-tolerated-fields and --tolerated-field"),
        (all_receivers, receivers, "--all-receivers and --receiver"),
        (any_source, sources, "--any-source and --source"),
        (any_rate, requests_per_s, "--any-rate and --requests-per-s"),
        (default_confirm_delay, single_confirm_delay_s, "--default-confirm-delay and --single-confirm-delay-s"),
    ):
        if cleared and named:
            usage_error(f"{option} exclude each other")
    values = _given(locals())
    if no_tolerated_fields:
        values["tolerated_fields"] = []
    if all_receivers:
        values["receivers"] = None
    if any_source:
        values["sources"] = None
    if any_rate:
        values["requests_per_s"] = None
    if default_confirm_delay:
        values["single_confirm_delay_s"] = None
    if not values:
        usage_error("nothing to change: name at least one setting")
    with_database(lambda connection, _: originator_changes.change_settings(connection, originator_id, values, why))
    print(f"Originator {originator_id} changed: {', '.join(values)}.")


@app.command()
def password(originator_id: Id, password: Password = None, why: Why = None) -> None:
    """Set an originator's password. The old one stops working within two seconds.

    In production somebody else must agree: the first time this asks for it, with --why, and takes no password; once it
    is agreed to, the same command sets the one that is given then. Who has to stop an originator now disables it:
    `originator set ID --disabled` waits for nobody.

    \b
    Examples:
      voucherswitch originator password 33334444
      voucherswitch originator password 33334444 --why "the old one was mailed around"
    """

    async def may(connection: "asyncpg.Connection", _: object) -> None:
        await originator_changes.check_known(connection, originator_id)
        await agreed_first(
            connection, "credential.issue", "originator", originator_id, **originator_changes.PASSWORD_CHANGE, why=why
        )

    if not load_settings().is_sandbox:
        with_database(may)
    new = _asked(password)
    with_database(
        lambda connection, settings: originator_changes.set_password(connection, settings, originator_id, new, why)
    )
    print(f"Password of originator {originator_id} set.")


@app.command(name="list")
def show(as_json: JsonFlag = False) -> None:
    """List all originators with their settings.

    \b
    Example:
      voucherswitch originator list --json | jq '.[].id'
    """
    found = with_database(lambda connection, _: _load(connection))
    if as_json:
        print_json([{key: value for key, value in plain(item).items() if key != "password_hash"} for item in found])
        return
    rows = [(item.id, item.name, "single" if item.single else "dual", item.deadline_s, _notes(item)) for item in found]
    print_table(("Id", "Name", "Messages", ">Deadline s", "Settings"), rows, empty="No originators.")


_LISTS = ("tolerated_fields", "receivers", "sources")


def _given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were named, as columns."""
    columns = (
        "name", "enabled", "single", "allow_request_id_reuse", "deadline_s", "provision_decline_status",
        "settle_only_confirmed", "redemption", "lookup_before_redemption", "product_lookup", "catalogue_kept",
        "lookup_pending_status", "single_confirm_delay_s", "requests_per_s", *_LISTS,
    )  # fmt: skip
    given = {name: arguments[name] for name in columns if arguments[name] is not None and arguments[name] != []}
    if "sources" in given:
        given["sources"] = [_network(text) for text in given["sources"]]
    return given


def _network(text: str) -> "Network":
    try:
        return ip_network(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is not a network: {error}; name one such as 203.0.113.0/28") from None


def _asked(password: str | None) -> str:
    """The password: given, or typed twice without being shown."""
    if password is not None:
        return password
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed


async def _load(connection: "asyncpg.Connection") -> "list[Originator]":
    from voucherswitch.catalogue.store import load

    return list((await load(connection)).originators.values())


def _notes(item: "Originator") -> str:
    """What differs from the defaults, in words."""
    notes = [
        (not item.enabled, "disabled"),
        (item.redemption, "redemption"),
        (item.lookup_before_redemption, "lookup before redemption"),
        (item.product_lookup, "product lookup"),
        (not item.catalogue_kept, "own catalogue"),
        (item.allow_request_id_reuse, "ids may be used again"),
        (item.settle_only_confirmed, "settled only when confirmed"),
        (item.provision_decline_status != 400, f"declines are {item.provision_decline_status}"),
        (item.lookup_pending_status != 504, f"open lookups are {item.lookup_pending_status}"),
        (item.single and item.single_confirm_delay_s is not None, f"confirmed after {item.confirm_delay_s} s"),
        (bool(item.tolerated_fields), f"tolerates {', '.join(sorted(item.tolerated_fields))}"),
        (bool(item.certificates), f"{len(item.certificates)} client certificates"),
        (item.requests_per_s is not None, f"{item.requests_per_s} requests a second"),
        (item.sources is not None, f"from {', '.join(map(str, item.sources or ()))}"),
        (item.receivers is not None, f"only {', '.join(sorted(item.receivers or ()))}"),
    ]
    return ", ".join(text for holds, text in notes if holds)
