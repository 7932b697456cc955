"""A till's questions: what is known of a voucher, and what may be sold. They change nothing."""

from typing import Annotated

import typer

from voucherswitch.cli import till_slip
from voucherswitch.cli.errors import FAILED, NOT_FOUND, CommandError, usage_error
from voucherswitch.cli.output import JsonFlag, print_received
from voucherswitch.cli.till_access import (
    CaOption,
    CertOption,
    KeyOption,
    PasswordOption,
    UrlOption,
    UserOption,
    till_access,
    till_tls,
)
from voucherswitch.cli.till_client import TIMEOUT_S, Answer, Result, Switch

Timeout = Annotated[float, typer.Option("--timeout", min=0.1, metavar="S", help="Seconds to wait for an answer.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(lookup)
    app.command()(products)


def lookup(
    code: Annotated[str | None, typer.Argument(help="The voucher's code.", show_default=False)] = None,
    serial: Annotated[str | None, typer.Option(metavar="NUMBER", help="Or its serial number.")] = None,
    provision_id: Annotated[str | None, typer.Option(metavar="ID", help="Or the id of its provision.")] = None,
    receiver: Annotated[
        str | None, typer.Option(metavar="ID", help="Voucher provider, where several have the code.")
    ] = None,
    as_json: JsonFlag = False,
    timeout: Timeout = TIMEOUT_S,
    user: UserOption = None,
    password: PasswordOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Ask what is known about a voucher. Exit code 3: the switch knows no such voucher.

    \b
    Examples:
      voucherswitch lookup 9000000000001231
      voucherswitch lookup --serial SX00000001
    """
    named = {"voucherCode": code, "voucherSerialNumber": serial, "provisionRequestId": provision_id}
    query = {name: value for name, value in named.items() if value is not None}
    if len(query) != 1:
        usage_error("name one voucher: by its CODE, by --serial or by --provision-id")
    if receiver is not None:
        query["receiverInstId"] = receiver
    answer = _answered(
        Switch(till_access(user, password, url, till_tls(ca, cert, key)), timeout).get("/vouchers", query),
        as_json=as_json,
    )
    if not as_json:
        till_slip.print_lookup(answer.message)


def products(
    channel: Annotated[str | None, typer.Option(metavar="NAME", help="Only those listed for this channel.")] = None,
    as_json: JsonFlag = False,
    timeout: Timeout = TIMEOUT_S,
    user: UserOption = None,
    password: PasswordOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """List what may be sold, as originators are told. With --json the ProductsLookupResponse as received.

    \b
    Examples:
      voucherswitch products
      voucherswitch products --channel TILL --json
    """
    query = {"channelName": channel} if channel is not None else None
    answer = _answered(
        Switch(till_access(user, password, url, till_tls(ca, cert, key)), timeout).get("/products", query),
        as_json=as_json,
    )
    if not as_json:
        till_slip.print_products(answer.message)


def _answered(result: Result, *, as_json: bool) -> Answer:
    """The answer to a question, printed as received with --json.

    Raises:
        CommandError: there is none, or it says no.
    """
    if not isinstance(result, Answer):
        raise CommandError(f"the switch does not answer: {result.cause}; see that voucherswitch up runs")
    if as_json:
        print_received(result.body)
    if result.status == 401:
        raise CommandError(f"the switch does not know this user and password ({result.error})")
    if result.status != 200:
        code = NOT_FOUND if result.status == 404 else FAILED
        raise CommandError(f"{result.error} ({result.status})", code)
    return result
