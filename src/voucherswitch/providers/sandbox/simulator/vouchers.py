"""Vouchers in the sandbox: issue, tell, confirm, reverse (providers.md 11.2, 11.3).

Each call checks first and changes afterwards, so a check can also be made without the change.
"""

from voucherswitch.providers.contract.simulator.provider import Reply
from voucherswitch.providers.sandbox.simulator.answers import VoucherAnswer, VoucherBody, encode, refusal
from voucherswitch.providers.sandbox.simulator.book import Book, VoucherRecord
from voucherswitch.providers.sandbox.simulator.calls import Lookup, Provision
from voucherswitch.providers.sandbox.simulator.lifecycle import PROVISIONED, REVERSED, VOUCHER
from voucherswitch.providers.sandbox.simulator.products import decline_by_amount, product

VALID_OUTLETS = frozenset({"S001"})
INSTRUCTIONS = ("Sandbox voucher",)


def shown(voucher: VoucherRecord, now: float, *, code: str | None = None) -> bytes:
    """The voucher object; without a voucher while it is pending. `code` replaces the code where that must not show."""
    state = voucher.shown_state(now)
    body = None
    if state != "PENDING":
        body = VoucherBody(
            code=voucher.code if code is None else code,
            pin=voucher.pin if code is None else None,
            serial=voucher.serial,
            value_cents=voucher.cents,
            balance_cents=voucher.balance_cents,
            expires_at=voucher.expires_at,
            instructions=INSTRUCTIONS,
        )
    return encode(VoucherAnswer(voucher.request_id, voucher.provider_ref, voucher.product_id, state, body))


def issued(voucher: VoucherRecord, now: float, status: int) -> Reply:
    """The answer that holds a voucher: 202 while it is pending."""
    return Reply(202 if voucher.shown_state(now) == "PENDING" else status, shown(voucher, now))


def refuse_provision(book: Book, form: Provision, *, rebind_code: bool) -> Reply | None:
    """Why a provision cannot be done, in the order in which every provider checks; None: it can."""
    if form.request_id in book.vouchers:
        return refusal("DUPLICATE_RECORD")
    return refuse_issue(book, form, rebind_code=rebind_code)


def refuse_issue(book: Book, form: Provision, *, rebind_code: bool) -> Reply | None:
    """As `refuse_provision`, for a request id that no voucher has."""
    if ("vouchers", form.request_id) in book.tombstones:
        return refusal("VOUCHER_ALREADY_REVERSED")
    if form.store not in VALID_OUTLETS:
        return refusal("INVALID_MERCHANT")
    sold = product(form.product_id)
    if sold is None:
        return refusal("ROUTING_ERROR")
    if sold.decline is not None:
        return sold.decline
    if decline := decline_by_amount(form.amount_cents):
        return decline
    if not sold.sells(form.amount_cents):
        return refusal("INVALID_AMOUNT")
    if form.voucher_code is not None and not rebind_code:
        holder = book.by_code.get(form.voucher_code)
        if holder is not None and holder.state != REVERSED:
            return refusal("VOUCHER_ALREADY_PROVISIONED")
    if form.amount_cents > book.float_cents:
        return refusal("DO_NOT_HONOUR")
    return None


def provision(book: Book, form: Provision, now: float, *, rebind_code: bool) -> Reply:
    """POST /vouchers."""
    no = refuse_provision(book, form, rebind_code=rebind_code)
    return no if no is not None else issued(issue(book, form, now), now, 201)


def retry(book: Book, form: Provision, now: float, *, rebind_code: bool) -> Reply:
    """POST /vouchers/{requestId}/retry: the voucher of the first message, or a fresh one if that never came."""
    voucher = book.vouchers.get(form.request_id)
    if voucher is None:
        no = refuse_issue(book, form, rebind_code=rebind_code)
        return no if no is not None else issued(issue(book, form, now), now, 201)
    if code := VOUCHER["retry"][voucher.state].refusal:
        return refusal(code)
    if (form.product_id, form.amount_cents) != (voucher.product_id, voucher.cents):
        return refusal("DUPLICATE_RECORD")
    return issued(voucher, now, 200)


def issue(book: Book, form: Provision, now: float) -> VoucherRecord:
    """Make the voucher. The counters give the values of the specification's sample after a reset."""
    sold = product(form.product_id)
    assert sold is not None
    book.counters.vouchers += 1
    expires_at, expires_ts = book.expiry(now)
    voucher = VoucherRecord(
        request_id=form.request_id,
        number=book.counters.vouchers,
        product_id=form.product_id,
        cents=form.amount_cents,
        balance_cents=form.amount_cents,
        code=book.next_code() if form.voucher_code is None else form.voucher_code,
        pin=book.next_pin() if sold.has_pin else None,
        store=form.store,
        terminal=form.terminal,
        issued_at=now,
        expires_at=expires_at,
        expires_ts=expires_ts,
        pending_until=now + sold.pending_ms / 1000 if sold.pending_ms else 0.0,
        events=((now, PROVISIONED),),
    )
    book.float_cents -= form.amount_cents
    book.add(voucher)
    return voucher


def status(book: Book, request_id: str, now: float) -> Reply:
    """GET /vouchers/{requestId}."""
    voucher = book.vouchers.get(request_id)
    return refusal("UNABLE_TO_LOCATE_RECORD") if voucher is None else Reply(200, shown(voucher, now))


def lookup(book: Book, form: Lookup, now: float) -> Reply:
    """POST /vouchers/lookup: by one name; the code shows only to who sent it."""
    voucher: VoucherRecord | None = None
    if form.code is not None:
        voucher = book.by_code.get(form.code)
    elif form.serial is not None:
        number = form.serial.removeprefix("SX")
        voucher = book.by_number.get(int(number)) if number.isdecimal() and len(number) == 8 else None
    elif form.request_id is not None:
        voucher = book.vouchers.get(form.request_id)
    # A pending voucher is not issued yet, so nobody can ask for it.
    if voucher is None or voucher.shown_state(now) == "PENDING":
        return refusal("INVALID_VOUCHER")
    hidden = None if form.code is not None else "*" * (len(voucher.code) - 4) + voucher.code[-4:]
    return Reply(200, shown(voucher, now, code=hidden))


def advise(book: Book, voucher: VoucherRecord, op: str, now: float) -> str | None:
    """Confirm or reverse; returns the refusal's code, None when it is accepted."""
    cell = VOUCHER[op][voucher.state]
    if cell.refusal is None and cell.to is not None:
        voucher.state = cell.to
        voucher.note(now, cell.to)
        if cell.to == REVERSED:
            book.float_cents += voucher.cents
        else:
            voucher.confirmed_at = now
    return cell.refusal
