"""A till in a terminal: sell, redeem, refund, confirm, reverse. Real calls over HTTP, as a till does them.

Results go to standard output, what the till is doing to standard error. With --json the answer is printed as received.
"""

from typing import Annotated, Literal

import typer

from voucherswitch.cli import till_lookups, till_messages, till_slip
from voucherswitch.cli.amounts import AMOUNT_HELP, amount_option
from voucherswitch.cli.errors import FAILED, CommandError, say, usage_error
from voucherswitch.cli.output import JsonFlag, print_received
from voucherswitch.cli.till_access import (
    CaOption,
    CertOption,
    KeyOption,
    PasswordOption,
    TillAccess,
    UrlOption,
    UserOption,
    till_access,
    till_tls,
)
from voucherswitch.cli.till_client import TIMEOUT_S, Answer, Result, Switch
from voucherswitch.cli.till_flows import (
    OPERATIONS,
    PROVISION,
    REDEMPTION,
    REFUND,
    Approved,
    Declined,
    NotProcessed,
    Operation,
    Outcome,
    Till,
    Undone,
    Unresolved,
)

Code = Annotated[str, typer.Argument(help="The voucher's code.", show_default=False)]
Amount = Annotated[
    int | None, typer.Option(parser=amount_option, metavar="RAND", help=f"Amount {AMOUNT_HELP}.", show_default=False)
]
Receiver = Annotated[
    str | None, typer.Option(metavar="ID", help="Voucher provider, such as 44444444.", show_default=False)
]
NoConfirm = Annotated[
    bool, typer.Option("--no-confirm", help="Leave it unconfirmed, for `confirm` or `reverse` later.")
]
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, metavar="S", help="Seconds to wait for an answer.")]
Kind = Literal["provision", "redemption", "refund"]
RequestId = Annotated[str, typer.Argument(help="The request's id, as the slip shows it.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands of a till."""
    for command in (sell, redeem, refund, confirm, reverse):
        app.command()(command)
    till_lookups.register(app)


def sell(
    product: Annotated[
        str | None, typer.Option(metavar="ID", help="What to sell; see `voucherswitch products`.")
    ] = None,
    amount: Amount = None,
    receiver: Receiver = None,
    code: Annotated[str | None, typer.Option(metavar="CODE", help="Name the voucher's code yourself.")] = None,
    paid: Annotated[
        int | None,
        typer.Option(
            parser=amount_option, metavar="RAND", help="Cash taken before it is asked for.", show_default=False
        ),
    ] = None,
    no_confirm: NoConfirm = False,
    as_json: JsonFlag = False,
    timeout: Timeout = TIMEOUT_S,
    user: UserOption = None,
    password: PasswordOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Sell a voucher: ask for it, confirm it, print the slip.

    Products of a fixed value need no --amount. Without --product, the --receiver decides where the request goes. Some
    providers want the customer to have paid first: name what was --paid; with an --amount that is understood. When no
    answer comes, the till retries with the same id, and reverses what stays unknown.

    \b
    Examples:
      voucherswitch sell --product MOBIANY --amount 100          R100.00
      voucherswitch sell --product MOBI29
      voucherswitch sell --receiver 44444444 --amount 55.50
      voucherswitch sell --product GPVISIT --paid 100            tender first
      voucherswitch sell --product MOBI29 --json | jq -r .voucher.code
    """
    if product is None and receiver is None:
        usage_error("name a --product, or a --receiver")
    access = till_access(user, password, url, till_tls(ca, cert, key))
    till = _till(access, timeout)
    message = till_messages.provision(
        access.user,
        product=product,
        receiver=receiver,
        amount_cents=amount,
        code=code,
        paid_cents=amount if paid is None else paid,
    )
    approved = _approved(till.request(PROVISION, message), as_json=as_json)
    _print(approved, as_json=as_json)
    _finish(till, PROVISION, approved, no_confirm=no_confirm)


def redeem(
    code: Code,
    amount: Amount = None,
    pin: Annotated[str | None, typer.Option(help="Its PIN, where it has one of its own.")] = None,
    receiver: Receiver = None,
    no_confirm: NoConfirm = False,
    as_json: JsonFlag = False,
    timeout: Timeout = TIMEOUT_S,
    user: UserOption = None,
    password: PasswordOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Use a voucher as tender, and confirm. Without --amount all there is on it.

    When no answer comes, the till asks what became of it, and reverses what stays unknown.

    \b
    Examples:
      voucherswitch redeem 9000000000001231
      voucherswitch redeem 9000000000001231 --amount 40
    """
    access = till_access(user, password, url, till_tls(ca, cert, key))
    till = _till(access, timeout)
    message = till_messages.redemption(access.user, code=code, pin=pin, receiver=receiver, amount_cents=amount)
    approved = _approved(till.request(REDEMPTION, message), as_json=as_json)
    _print(approved, as_json=as_json, movement="redemption")
    _finish(till, REDEMPTION, approved, no_confirm=no_confirm)


def refund(
    code: Code,
    amount: Amount = None,
    redemption_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Which redemption to give back, where there are several.")
    ] = None,
    receiver: Receiver = None,
    no_confirm: NoConfirm = False,
    as_json: JsonFlag = False,
    timeout: Timeout = TIMEOUT_S,
    user: UserOption = None,
    password: PasswordOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Give a redemption back to its voucher, and confirm. Without --amount all of it.

    \b
    Example:
      voucherswitch refund 9000000000001231
    """
    access = till_access(user, password, url, till_tls(ca, cert, key))
    till = _till(access, timeout)
    message = till_messages.refund(
        access.user, code=code, receiver=receiver, amount_cents=amount, redemption_id=redemption_id
    )
    approved = _approved(till.request(REFUND, message), as_json=as_json)
    _print(approved, as_json=as_json, movement="refund")
    _finish(till, REFUND, approved, no_confirm=no_confirm)


def confirm(
    request_id: RequestId,
    kind: Annotated[Kind, typer.Option(help="What it is the id of.")] = "provision",
    timeout: Timeout = TIMEOUT_S,
    user: UserOption = None,
    password: PasswordOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Confirm a request: it stands, and no reversal follows.

    \b
    Example:
      voucherswitch sell --product MOBI29 --no-confirm
      voucherswitch confirm 04c6284a-930e-444f-982e-37e931b8daf3
    """
    till = _till(till_access(user, password, url, till_tls(ca, cert, key)), timeout)
    _acknowledged(till.confirm(OPERATIONS[kind], request_id), OPERATIONS[kind], request_id)
    print(f"Confirmed: the {kind} stands.")


def reverse(
    request_id: RequestId,
    kind: Annotated[Kind, typer.Option(help="What it is the id of.")] = "provision",
    reason: Annotated[
        Literal["TIMEOUT", "CANCELLED", "RESPONSE_NOT_FINAL"], typer.Option(help="Why it is undone.")
    ] = "CANCELLED",
    timeout: Timeout = TIMEOUT_S,
    user: UserOption = None,
    password: PasswordOption = None,
    url: UrlOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Undo an unconfirmed request. One that the switch has not seen yet is refused when it comes.

    \b
    Example:
      voucherswitch sell --product MOBI29 --no-confirm
      voucherswitch reverse 04c6284a-930e-444f-982e-37e931b8daf3
    """
    till = _till(till_access(user, password, url, till_tls(ca, cert, key)), timeout)
    outcome = till.reverse(OPERATIONS[kind], request_id, reason, "asked for")
    if not isinstance(outcome, Undone):
        raise CommandError(
            f"the reversal was not taken: {outcome.cause if isinstance(outcome, Unresolved) else outcome}"
        )
    print(f"Reversed: the {kind} does not stand.")


def _till(access: TillAccess, timeout_s: float) -> Till:
    return Till(Switch(access, timeout_s), say)


def _approved(outcome: Outcome, *, as_json: bool) -> Approved:
    """The approval, or the end of the command.

    Raises:
        CommandError: anything else came of it; the line says what the customer is owed.
    """
    match outcome:
        case Approved():
            return outcome
        case Declined(answer=answer):
            if as_json:
                print_received(answer.body)
            if answer.status == 401:
                raise CommandError(f"the switch does not know this user and password ({answer.error})")
            named = f"; more: voucherswitch explain {answer.message['id']}" if "id" in answer.message else ""
            raise CommandError(f"declined, nothing was done: {answer.error} ({answer.status}){named}")
        case NotProcessed(cause=cause):
            raise CommandError(
                f"not processed, nothing was done: {cause}; see that voucherswitch up runs, then try again"
            )
        case Undone(request_id=request_id, cause=cause):
            raise CommandError(
                f"no outcome ({cause}), so it was reversed: give the customer the money back (voucherswitch explain "
                f"{request_id})"
            )
        case Unresolved(request_id=request_id, cause=cause):
            raise CommandError(
                f"no outcome, and the reversal was not taken ({cause}): give the customer the money back, and send it "
                f"again: voucherswitch reverse {request_id}"
            )


def _print(approved: Approved, *, as_json: bool, movement: str | None = None) -> None:
    if as_json:
        print_received(approved.answer.body)
    elif movement is None:
        till_slip.print_provision(approved.answer.message)
    else:
        till_slip.print_movement(movement, approved.answer.message)


def _finish(till: Till, operation: Operation, approved: Approved, *, no_confirm: bool) -> None:
    request_id = approved.message["id"]
    if no_confirm:
        kind = "" if operation is PROVISION else f" --kind {operation.name}"
        arguments = f"{request_id}{kind}"
        say(f"not confirmed; voucherswitch confirm {arguments} or voucherswitch reverse {arguments} ends it")
        return
    cash = till_slip.cents(approved.answer.message, "approvedAmount") if operation is PROVISION else None
    _acknowledged(till.confirm(operation, request_id, cash_cents=cash), operation, request_id)


def _acknowledged(result: Result, operation: Operation, request_id: str) -> None:
    """See that a confirmation was taken.

    Raises:
        CommandError: it was refused, or not taken yet.
    """
    if isinstance(result, Answer) and result.status < 300:
        return
    cause = f"{result.error} ({result.status})" if isinstance(result, Answer) else result.cause
    again = f"voucherswitch confirm {request_id} --kind {operation.name}"
    raise CommandError(f"the {operation.name} is not confirmed: {cause}; once that is mended: {again}", FAILED)
