"""The sandbox's daily file (providers.md 11.8): confirmed provisions, redemptions and refunds of one SAST day."""

from collections.abc import Iterator, Sequence
from datetime import date
from operator import attrgetter
from typing import Final, cast

from voucherswitch.providers.contract.simulator.clock import business_day, sast
from voucherswitch.providers.contract.simulator.recon import ReconDay, ReconRow
from voucherswitch.providers.sandbox.simulator.book import REFUND, Book

HEADER: Final = "providerRef,requestId,type,serial,cents,at,store,terminal"


class Row(ReconRow, frozen=True):
    """One line; `at` is the moment of the confirmation, which made it final."""

    type: str
    serial: str
    at: float
    store: str
    terminal: str


def recon_day(book: Book, day: date) -> ReconDay:
    rows = sorted((row for row in _rows(book) if business_day(row.at) == day), key=attrgetter("at", "provider_ref"))
    return ReconDay(f"sandbox_markoff_{day:%Y%m%d}.csv", rows, _render)


def _rows(book: Book) -> Iterator[Row]:
    # What is confirmed can no longer be reversed here, so no reversal of a reported row ever follows.
    for voucher in book.vouchers.values():
        if voucher.elsewhere:
            continue
        if voucher.confirmed_at is not None:
            yield Row(
                provider_ref=voucher.provider_ref,
                request_id=voucher.request_id,
                cents=voucher.cents,
                type="SALE",
                serial=voucher.serial,
                at=voucher.confirmed_at,
                store=voucher.store,
                terminal=voucher.terminal,
            )
    for voucher, movement in book.all_movements():
        if movement.confirmed_at is None:
            continue
        refund = movement.kind == REFUND
        yield Row(
            provider_ref=movement.provider_ref,
            request_id=movement.request_id,
            cents=-movement.cents if refund else movement.cents,
            type="REFUND" if refund else "REDEEM",
            serial=voucher.serial,
            at=movement.confirmed_at,
            store=movement.store,
            terminal=movement.terminal,
        )


def _render(rows: Sequence[ReconRow], count: int, cents: int) -> str:
    lines = [HEADER]
    for row in cast("Sequence[Row]", rows):
        at = sast(row.at).isoformat(timespec="seconds")
        fields = (row.provider_ref, row.request_id, row.type, row.serial, row.cents, at, row.store, row.terminal)
        # The file has no quoting, so a till that calls itself "A,B" must not make a column.
        lines.append(",".join(str(field).replace(",", " ").replace("\n", " ") for field in fields))
    lines.append(f"TRAILER,{count},{cents}\n")
    return "\n".join(lines)
