"""A provider's recon file as typed records, the same for every provider (providers.md B.11).

A statement keeps what is wrong with a file beside what could be read of it: finance decides, and nothing is skipped in
silence. Money is cents, signed as in the file.
"""

from datetime import date, datetime
from enum import StrEnum

from msgspec import Struct


class RowType(StrEnum):
    """What a row reports."""

    SALE = "SALE"
    REVERSAL = "REVERSAL"
    REDEEM = "REDEEM"
    REDEEM_REVERSAL = "REDEEM_REVERSAL"
    REFUND = "REFUND"


class StatementRow(Struct, frozen=True):
    """One financial event. `line` counts from 1; `at` has the provider's offset; `cents` the provider's sign.

    What a provider's file does not tell is empty or 0. `status` is the provider's word, where a row can be anything but
    final.
    """

    line: int
    provider_ref: str
    request_id: str
    type: RowType
    serial: str
    cents: int
    at: datetime
    store: str
    terminal: str = ""
    product: str = ""
    fee_cents: int = 0
    commission_cents: int = 0
    status: str = ""


class BadLine(Struct, frozen=True):
    """A line that is no row. `reason` does not repeat its text, which may be anything."""

    line: int
    reason: str


class Statement(Struct, frozen=True):
    """A file as it was read.

    Attributes:
        day: the business day that its name says; None: the name says none.
        rows: every line that is a row.
        bad_lines: every line that is not, with the reason.
        problems: what is wrong with the file as a whole; with any of these its totals are not to be trusted.
    """

    day: date | None
    rows: tuple[StatementRow, ...]
    bad_lines: tuple[BadLine, ...]
    problems: tuple[str, ...]

    @property
    def total_cents(self) -> int:
        """The signed sum of the rows that could be read."""
        return sum(row.cents for row in self.rows)

    @property
    def is_whole(self) -> bool:
        """Whether all of the file was read and agrees with itself."""
        return not self.bad_lines and not self.problems
