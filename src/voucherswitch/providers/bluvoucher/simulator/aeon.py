"""AEON's events on the provider's side: checks in the common order, then the effect (providers.md 8.2, 8.4, B.12)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from voucherswitch.providers.bluvoucher import messages
from voucherswitch.providers.bluvoucher.simulator import stock
from voucherswitch.providers.bluvoucher.simulator.envelopes import Event, refused, succeeded
from voucherswitch.providers.contract.answers import cents_of, rand
from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.book import Book, BookVoucher
from voucherswitch.providers.contract.simulator.clock import sast
from voucherswitch.providers.contract.simulator.provider import Reply
from voucherswitch.providers.contract.statements import RowType
from voucherswitch.providers.contract.transport.xml import Markup, element, leaf

USER_PIN: Final = "0000"
DEVICE_ID: Final = "90001"
DEVICE_SER: Final = "SIM-DEV-1"
CANCEL_WINDOW_S: Final = 600

SESSION: Final = "session"  # in the memory of a connection: the one that counts there

_STATES: Final = {stock.UNSOLD: "PENDING", stock.CANCELLED: "CANCELLED"}  # of a transaction; SOLD otherwise
_SPEND_REFUSALS: Final = {
    stock.UNSOLD: "764",
    stock.SPENT: "761",
    stock.EXPIRED: "762",
    stock.BLOCKED: "763",
    stock.CANCELLED: "763",
}


class Aeon:
    """The events, on the provider's books. `spelling` is that of `AEONErrorCode` in errors."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.spelling = "AEON"
        self._spends: dict[str, None] = {}
        self._answers: dict[str, Callable[[Event, float], Reply]] = {
            messages.GET_PRODUCT_LIST: self._product_list,
            messages.GET_VOUCHER: self._get_voucher,
            messages.SOLD_VOUCHER: self._sold_voucher,
            messages.CANCEL_VOUCHER: self._cancel_voucher,
            messages.GET_TRANS_STATUS: self._trans_status,
            messages.VOUCHER_ENQUIRY: self._enquiry,
            messages.VOUCHER_SPEND: self._spend,
        }

    def reset(self) -> None:
        """Forget the references of redemptions; the books are their owner's."""
        self._spends.clear()

    def answer(self, event: Event | None, memory: dict[str, Any], now: float) -> Reply:
        """Answer an event; `memory` is its connection's."""
        if event is None:
            return refused("", "", "755", self.spelling)
        if event.form is None:
            return self.refuse(event, "774")
        if event.form.in_session and (not event.session_id or memory.get(SESSION) != event.session_id):
            return self.refuse(event, "750")
        if not event.form.in_session and not _ours(event.fields):
            return self.refuse(event, "103")
        if not event.well_formed:
            return self.refuse(event, "755")
        if event.name == messages.AUTHENTICATION:
            return self._authentication(memory)
        return self._answers[event.name](event, now)

    def refuse(self, event: Event | None, code: str) -> Reply:
        """The refusal of an event by a code."""
        if event is None:
            return refused("", "", code, self.spelling)
        return refused(event.name, event.session_id, code, self.spelling)

    def _authentication(self, memory: dict[str, Any]) -> Reply:
        session = memory[SESSION] = f"S-{self.book.next_number('sessions'):06d}"
        types = element("TransTypes", leaf("TransType", messages.TRANS_TYPE))
        return succeeded(messages.AUTHENTICATION, session, types)

    def _product_list(self, event: Event, _now: float) -> Reply:
        product = element(
            "Product",
            leaf("ProductCode", stock.PRODUCT),
            leaf("Name", stock.PRODUCT_NAME),
            leaf("MinAmount", rand(stock.LEAST_CENTS)),
            leaf("MaxAmount", rand(stock.MOST_CENTS)),
        )
        return succeeded(event.name, event.session_id, product)

    def _get_voucher(self, event: Event, now: float) -> Reply:
        reference, cents = event.fields["Reference"], cents_of(event.fields["Amount"])
        if self._used(reference):
            return self.refuse(event, "754")
        if event.fields["ProductCode"] != stock.PRODUCT:
            return self.refuse(event, "751")
        if not stock.amount_sold(cents):
            return self.refuse(event, "752")
        if cents > self.book.float_cents:
            return self.refuse(event, "753")
        trans_ref = f"BT{self.book.next_number('sales'):010d}"
        voucher = stock.new_voucher(self.book, now, cents, reference, trans_ref, stock.UNSOLD)
        self.book.float_cents -= cents
        self.book.add(voucher)
        return succeeded(
            event.name,
            event.session_id,
            leaf("TransRef", trans_ref),
            leaf("Reference", reference),
            *_voucher_data(voucher),
        )

    def _sold_voucher(self, event: Event, now: float) -> Reply:
        voucher = self._transaction(event)
        if voucher is None:
            return self.refuse(event, "770")
        if voucher.state == stock.CANCELLED:
            return self.refuse(event, "772")
        if voucher.state == stock.UNSOLD:
            voucher.become(stock.ACTIVE, now)
            self.book.enter(RowType.SALE, voucher, voucher.cents, now)
        return _advised(event)

    def _cancel_voucher(self, event: Event, now: float) -> Reply:
        voucher = self._transaction(event)
        if voucher is None:
            return self.refuse(event, "770")
        if voucher.state == stock.CANCELLED:
            return _advised(event)
        if voucher.state != stock.UNSOLD:
            return self.refuse(event, "761" if voucher.state == stock.SPENT else "771")
        if now - voucher.issued_at > CANCEL_WINDOW_S:
            return self.refuse(event, "773")
        voucher.become(stock.CANCELLED, now)
        self.book.float_cents += voucher.cents
        return _advised(event)

    def _trans_status(self, event: Event, _now: float) -> Reply:
        voucher = self._transaction(event)
        if voucher is None:
            return self.refuse(event, "770")
        return succeeded(
            event.name,
            event.session_id,
            leaf("TransRef", voucher.provider_ref),
            leaf("State", _STATES.get(voucher.state, "SOLD")),
            *_voucher_data(voucher),
        )

    def _enquiry(self, event: Event, now: float) -> Reply:
        voucher = self.book.by_code(event.fields["VoucherNumber"])
        if voucher is None:
            return self.refuse(event, "760")
        state = stock.state_of(voucher, now)
        spender = voucher.details.get("spender")
        return succeeded(
            event.name,
            event.session_id,
            leaf("Serial", voucher.serial),
            leaf("VoucherState", stock.BLOCKED if state == stock.CANCELLED else state),
            leaf("Value", rand(voucher.cents)),
            leaf("ExpiryDate", _last_day(voucher)),
            *([leaf("SpentByReference", spender)] if spender else []),
        )

    def _spend(self, event: Event, now: float) -> Reply:
        reference, cents = event.fields["Reference"], cents_of(event.fields["Amount"])
        if self._used(reference):
            return self.refuse(event, "754")
        voucher = self.book.by_code(event.fields["VoucherNumber"])
        if voucher is None:
            return self.refuse(event, "760")
        if code := _SPEND_REFUSALS.get(stock.state_of(voucher, now)):
            return self.refuse(event, code)
        if cents != voucher.cents:
            return self.refuse(event, "765")
        spend_ref = f"BX{self.book.next_number('spends'):010d}"
        voucher.become(stock.SPENT, now)
        voucher.balance_cents = 0
        voucher.details["spender"] = reference
        self._remember(reference)
        self.book.enter(RowType.REDEEM, voucher, cents, now, reference=reference, provider_ref=spend_ref)
        return succeeded(
            event.name,
            event.session_id,
            leaf("Reference", reference),
            leaf("SpendRef", spend_ref),
            leaf("Amount", rand(cents)),
            leaf("SpentAt", f"{sast(now):%Y-%m-%d %H:%M:%S}"),
        )

    def _transaction(self, event: Event) -> BookVoucher | None:
        """The sale that an event is about; with the wrong TransRef it is none."""
        found = [one for one in self.book.by_reference(event.fields["Reference"]) if not one.elsewhere]
        trans_ref = event.fields.get("TransRef")
        if not found or found[-1].provider_ref[:2] != "BT" or trans_ref not in (None, found[-1].provider_ref):
            return None
        return found[-1]

    def _used(self, reference: str) -> bool:
        return reference in self._spends or bool(self.book.by_reference(reference))

    def _remember(self, reference: str) -> None:
        self._spends[reference] = None
        if len(self._spends) > stock.REMEMBERED_MAX:
            del self._spends[next(iter(self._spends))]


def _ours(fields: Mapping[str, str]) -> bool:
    credentials = (fields.get("UserPin"), fields.get("DeviceId"), fields.get("DeviceSer"))
    return credentials == (USER_PIN, DEVICE_ID, DEVICE_SER)


def _advised(event: Event) -> Reply:
    return succeeded(event.name, event.session_id, leaf("Reference", event.fields["Reference"]))


def _voucher_data(voucher: BookVoucher) -> tuple[Markup, ...]:
    return (
        leaf("Serial", voucher.serial),
        leaf("Pin", voucher.code),
        leaf("Amount", rand(voucher.cents)),
        leaf("ExpiryDate", _last_day(voucher)),
    )


def _last_day(voucher: BookVoucher) -> str:
    return datetime.fromtimestamp(voucher.expires_at, SAST).date().isoformat()
