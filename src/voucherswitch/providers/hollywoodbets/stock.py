"""Files of pre-issued PINs, in a layout proposed by us (providers.md 4.6). Pure.

`STK_<partner>_<batchNo>.txt`: UTF-8, fields between pipes, one header `STKH` with batch and day, lines `STKD` with
serial, face value, expiry and PIN, one trailer `STKT` with the count. A batch is taken whole or refused whole: its
lines are bearer money, so a file with one doubtful line is not to be sold from. No refusal and no repr shows a PIN.

Only the layout is here. Selling from stock is not offered: see README.md.
"""

import re
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Final

from msgspec import Struct

from voucherswitch.providers.contract.answers import BadAnswer, cents_of, rand
from voucherswitch.providers.contract.simulator.check_digits import luhn
from voucherswitch.providers.contract.statement_files import NO_TRAILER, split_lines

ITEMS_MAX: Final = 100_000  # of one batch
DAY: Final = "%d/%m/%Y"

_NAME = re.compile(r"STK_([^|\n]+)_([0-9A-Za-z-]{1,12})\.txt")
_HEADER = re.compile(r"STKH\|([0-9A-Za-z-]{1,12})\|([0-9]{2}/[0-9]{2}/[0-9]{4})")
_ITEM = re.compile(r"STKD\|([0-9]{10})\|([0-9]{1,9}\.[0-9]{2})\|([0-9]{2}/[0-9]{2}/[0-9]{4})\|([0-9]{11})")
_TRAILER = re.compile(r"STKT\|([0-9]{1,6})")


class StockItem(Struct, frozen=True):
    """One pre-issued voucher. `pin` is bearer money."""

    serial: str
    cents: int
    expires_on: date
    pin: str

    def __repr__(self) -> str:
        return f"<StockItem {self.serial}>"


class StockBatch(Struct, frozen=True):
    """What one file brings. `day` is the day on which it was made."""

    partner: str
    batch_no: str
    day: date
    items: tuple[StockItem, ...]


class StockRefusedError(ValueError):
    """A file that must not be sold from. `reasons` are all that was found; none of them repeats the file's text."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


def stock_file_name(partner: str, batch_no: str) -> str:
    """The name of a batch's file."""
    return f"STK_{partner}_{batch_no}.txt"


def write_stock(batch: StockBatch) -> bytes:
    """A batch as its file."""
    lines = [f"STKH|{batch.batch_no}|{batch.day.strftime(DAY)}"]
    lines += [
        f"STKD|{item.serial}|{rand(item.cents)}|{item.expires_on.strftime(DAY)}|{item.pin}" for item in batch.items
    ]
    lines.append(f"STKT|{len(batch.items)}")
    return "".join(f"{line}\n" for line in lines).encode()


def read_stock(file_name: str, content: bytes, partner: str, known_batches: Collection[str] = ()) -> StockBatch:
    """Read a file.

    Args:
        partner: whose stock it must be.
        known_batches: the batches that were taken before; PINs must not come in twice.

    Raises:
        StockRefusedError: anything at all is wrong with it.
    """
    reasons: list[str] = []
    named = _NAME.fullmatch(file_name)
    if named is None:
        reasons.append("the name is not STK_<partner>_<batchNo>.txt")
    elif named[1] != partner:
        reasons.append("the name is of another partner")
    lines = [(number, _text(raw)) for number, raw in split_lines(content, reasons)]
    batch_no, day = _header(lines[0][1] if lines else "", reasons)
    if named is not None and batch_no and named[2] != batch_no:
        reasons.append("the header is of another batch than the name")
    if batch_no in known_batches:
        reasons.append("the batch was taken before")
    trailer = _TRAILER.fullmatch(lines[-1][1]) if len(lines) > 1 else None
    details = lines[1:] if trailer is None else lines[1:-1]
    items = _items(details, day, reasons)
    if trailer is None:
        reasons.append(NO_TRAILER)
    elif int(trailer[1]) != len(details):
        reasons.append(f"the trailer counts {int(trailer[1])} lines, the file has {len(details)}")
    if len(details) > ITEMS_MAX:
        reasons.append(f"it has more than {ITEMS_MAX} lines")
    if reasons or day is None:
        raise StockRefusedError(reasons)
    return StockBatch(partner, batch_no, day, tuple(items))


def _text(raw: bytes) -> str:
    """A line; one that is not UTF-8 becomes one that no layout has."""
    return raw.decode(errors="replace")


def _header(line: str, reasons: list[str]) -> tuple[str, date | None]:
    found = _HEADER.fullmatch(line)
    day = None if found is None else _day(found[2])
    if found is None or day is None:
        reasons.append("the first line is not the header")
        return "", None
    return found[1], day


def _items(lines: Sequence[tuple[int, str]], day: date | None, reasons: list[str]) -> list[StockItem]:
    items: list[StockItem] = []
    serials: set[str] = set()
    pins: set[str] = set()
    for number, line in lines:
        try:
            item = _item(line, day)
            if item.serial in serials or item.pin in pins:
                raise ValueError("its serial or its PIN is in the file twice")
        except ValueError as error:
            reasons.append(f"line {number}: {error}")
            continue
        serials.add(item.serial)
        pins.add(item.pin)
        items.append(item)
    return items


def _item(line: str, day: date | None) -> StockItem:
    found = _ITEM.fullmatch(line)
    if found is None:
        raise ValueError("it is not a line STKD with serial, face value, expiry and PIN")
    try:
        cents = cents_of(found[2])
    except BadAnswer:
        raise ValueError("the face value cannot be read") from None
    expires_on, pin = _day(found[3]), found[4]
    if cents == 0:
        raise ValueError("the face value is zero")
    if expires_on is None:
        raise ValueError("the expiry is not a day")
    if day is not None and expires_on < day:
        raise ValueError("it had expired when the file was made")
    if luhn(pin[:-1]) != pin[-1]:
        raise ValueError("the PIN's check digit is wrong")
    return StockItem(serial=found[1], cents=cents, expires_on=expires_on, pin=pin)


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, DAY).date()  # noqa: DTZ007 (a day has no time zone)
    except ValueError:
        return None
