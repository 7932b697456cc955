"""OTT behind the common frame: reads a call, checks who sends it, and answers from the books (providers.md 6.2 to 6.4).

References are not unique here: a second GetVoucher with the same one sells a second voucher, and from then on nothing
under that reference can be found, confirmed or rejected.
"""

from collections.abc import Mapping
from typing import Any, Final

from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS, BookVoucher
from voucherswitch.providers.contract.simulator.booked import VALID_OUTLETS
from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.faults import Fault
from voucherswitch.providers.contract.simulator.provider import Exchange, Reply
from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.ott.simulator import calls
from voucherswitch.providers.ott.simulator.answers import (
    MALFORMED,
    NOT_A_CALL,
    altered,
    amount,
    compact,
    failure,
    grouped,
    issued,
    spaced,
    unauthorised,
)
from voucherswitch.providers.ott.simulator.books import (
    BLOCKED,
    CONFIRMED,
    EXPIRED,
    ISSUED,
    REDEEMED,
    REJECTED,
    OttBooks,
    Remit,
)

CENTS_MIN: Final = 500
CENTS_MAX: Final = 500_000
BATCH: Final = "B1"
INSTRUCTIONS: Final = "Redeem at a partner site"


class OttProvider(OttBooks):
    """OTT's protocol."""

    operations = calls.NAMES
    own_faults = frozenset({"voucher_object", "voucher_unreadable", "json_booleans"})

    def __init__(self, float_cents: int = FLOAT_CENTS) -> None:
        super().__init__(float_cents)
        self.key = calls.FIRST_KEY

    def reset(self) -> None:
        super().reset()
        self.key = calls.FIRST_KEY

    def rotate_key(self) -> str:
        self.key = f"EXAMPLE-KEY-{self.book.next_number('keys') + 1:04d}"
        return self.key

    def read(self, request: Request) -> Exchange:
        call = calls.CALLS.get(request.target) if request.method == "POST" else None
        if call is None:
            return Exchange(request, "", f"{request.method} {request.target[:60]}", refusal=NOT_A_CALL)
        form = calls.read_form(request)
        exchange = Exchange(request, call.op, call.wire_op, message=form)
        if form is not None:
            exchange.reference = form.get("uniqueReference", "")
        if request.header(b"authorization") != calls.AUTHORIZATION:
            exchange.refusal = unauthorised("")
        elif form is None:
            exchange.refusal = MALFORMED
        elif not calls.hash_holds(form, self.key):
            exchange.refusal = unauthorised("Invalid hash")
        elif not call.takes({name: value for name, value in form.items() if name != "hash"}):
            exchange.refusal = MALFORMED
        return exchange

    def answer(self, exchange: Exchange, now: float) -> Reply:
        if exchange.refusal is not None:
            return exchange.refusal
        self.lapse(now)
        form: dict[str, str] = exchange.message
        match exchange.op:
            case "provision":
                return self._get_voucher(form, now)
            case "status":
                return self._check_voucher(form["uniqueReference"])
            case "confirm":
                return self._confirm(form["uniqueReference"], now)
            case "reverse":
                return self._reject(form["uniqueReference"], now)
            case "lookup":
                return self._check_pin(form, now)
            case "redeem":
                return self._remit(form, now)
            case "redeemStatus":
                return self._check_remit(form["uniqueReference"])
            case "GetBalance":
                balance = grouped(self.book.float_cents)
                return Reply(200, compact({"success": "true", "balance": balance, "availableBalance": balance}))
            case _:
                return Reply(200, compact({"success": "true", "apiKey": self.rotate_key()}))

    def refuse_credentials(self, _exchange: Exchange) -> Reply:
        return unauthorised("Unauthorised")

    def decline(self, _exchange: Exchange, code: str) -> Reply:
        return failure(code)

    def spoil(self, reply: Reply, fault: Fault) -> Reply:
        """No answer of OTT repeats a reference, so `wrong_reference` changes nothing."""
        return altered(reply, fault.kind, fault.params.delta_cents)

    def own_fault(self, exchange: Exchange, fault: Fault, now: float) -> Reply:
        return altered(self.answer(exchange, now), fault.kind)

    # Issuing

    def _get_voucher(self, form: Mapping[str, str], now: float) -> Reply:
        cents = _cents(form["value"])
        if form["branch"] not in VALID_OUTLETS or form["vendorCode"] != calls.VENDOR_CODE:
            return failure("941")
        if not CENTS_MIN <= cents <= CENTS_MAX:
            return failure("3")
        if cents > self.book.float_cents:
            return failure("6")
        return self._shown(self.issue(form["uniqueReference"], cents, form["branch"], form.get("till", ""), now))

    def _check_voucher(self, reference: str) -> Reply:
        voucher = self.sole(reference)
        # There is no word for a voucher that was rejected: under its reference there is none any more.
        return failure("1") if voucher is None or voucher.state == REJECTED else self._shown(voucher)

    def _confirm(self, reference: str, now: float) -> Reply:
        voucher = self.sole(reference)
        if voucher is None:
            return failure("1")
        if voucher.state == REJECTED:
            return failure("921")
        if voucher.state == ISSUED:
            voucher.become(CONFIRMED, now)
        voucher.details["confirmed"] = True
        return Reply(200, compact({"success": "true", "message": "Confirmed"}))

    def _reject(self, reference: str, now: float) -> Reply:
        voucher = self.sole(reference)
        if voucher is None:
            return failure("1")
        if voucher.state == REDEEMED:
            return failure("923")
        if voucher.details["confirmed"]:
            return failure("922")
        if voucher.state != REJECTED:
            self.reject(voucher, now)
        return Reply(200, compact({"success": "true", "message": "Rejected"}))

    def _shown(self, voucher: BookVoucher) -> Reply:
        document: dict[str, Any] = {
            "voucherID": int(voucher.provider_ref),
            "saleID": voucher.details["sale_id"],
            "pin": voucher.code,
            "serialNumber": voucher.serial,
            "batch": BATCH,
            "instructions": INSTRUCTIONS,
            "amount": amount(voucher.cents, number=not self._every_second("issued")),
        }
        if self.profile.expiry_date:
            document["expiryDate"] = f"{sast(voucher.expires_at):%Y-%m-%d}"
        return issued(document)

    # Redemption

    def _check_pin(self, form: Mapping[str, str], now: float) -> Reply:
        if form["vendorID"] != calls.VENDOR_ID:
            return failure("906")
        voucher = self.book.by_code(form["voucherPIN"])
        if code := _unusable(voucher, now):
            return failure(code)
        assert voucher is not None
        shown = {"success": "true", "voucherID": int(voucher.provider_ref), "serial": voucher.serial}
        return Reply(200, spaced(shown | {"value": amount(voucher.balance_cents, number=self._every_second("found"))}))

    def _remit(self, form: Mapping[str, str], now: float) -> Reply:
        if self.remit_of(form["uniqueReference"]) is not None:
            return failure("907")
        if form["vendorID"] != calls.VENDOR_ID:
            return failure("906")
        voucher = self.book.by_code(form["pin"])
        if code := _unusable(voucher, now):
            return failure(code)
        assert voucher is not None
        cents = _cents(form["amount"]) or voucher.balance_cents
        if cents > voucher.balance_cents:
            return failure("903")
        return Reply(200, spaced(self._remitted(self.pay(voucher, cents, form["uniqueReference"], now))))

    def _check_remit(self, reference: str) -> Reply:
        remit = self.remit_of(reference)
        if remit is None:
            return failure("908")
        return Reply(200, spaced(self._remitted(remit) | {"serialNumber": remit.voucher.serial}))

    def _remitted(self, remit: Remit) -> dict[str, Any]:
        number = self._every_second("remitted")
        return {
            "success": "true",
            "voucherID": int(remit.voucher.provider_ref),
            "voucherAmount": amount(remit.cents, number=number),
            "voucherBalance": amount(remit.left_cents, number=number),
            "message": "Redeemed",
        }

    def _every_second(self, amounts: str) -> bool:
        """Whether the next of these amounts is written the other way than the first one after a reset."""
        return self.book.next_number(f"amounts {amounts}") % 2 == 0


def _unusable(voucher: BookVoucher | None, now: float) -> str | None:
    """Why nothing can be taken of a voucher: the code of its refusal."""
    if voucher is None:
        return "901"
    if voucher.state in (ISSUED, REJECTED, BLOCKED):
        return "905"
    if voucher.state == REDEEMED:
        return "902"
    return "904" if voucher.state == EXPIRED or now > voucher.expires_at else None


def _cents(text: str) -> int:
    rand, _, cents = text.partition(".")
    return int(rand) * 100 + int(cents)
