"""The tills' book: what each till meant to do, written down before it is sent, and what it was told.

One of the four books. A line of `tills.jsonl` goes before every message and after every answer, so that the story of a
till can be read beside the switch's own.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from voucherswitch.cli.torture.till_line import Heard, Result
from voucherswitch.message.states import Kind


class Told(Struct, kw_only=True):
    """One creating request as its till knows it.

    Attributes:
        approved_code: the voucher's code of a 201 (a provision's), or the code that was redeemed or refunded.
        sold_id: the provision whose voucher a redemption or refund is about.
        approved: it was told 201, or 200 by a lookup.
        refused: it was told no, for good.
        not_processed: it was told 503, or could not even connect: certainly nothing happened.
        confirmed, reversed: the advice that was acknowledged with 202.
        nothing_to_reverse: a reversal was answered 404.
        over: the till is done with it; False at the end of a run means that its till was still asking.
    """

    request_id: str
    kind: Kind
    originator_id: str
    single: bool
    provider_id: str
    product_id: str
    cents: int
    sold_id: str | None = None
    code: str | None = None
    approved: bool = False
    refused: str | None = None
    not_processed: bool = False
    confirmed: str | None = None
    reversed: str | None = None
    nothing_to_reverse: bool = False
    retries_refused: bool = False
    over: bool = False
    contradictions: list[str] = field(default_factory=list)


class TillBook:
    """All tills' requests by their ids, and the file of what was said."""

    def __init__(self, path: Path) -> None:
        self._file: Final = path.open("ab", buffering=256 * 1024)
        self._encode: Final = msgspec.json.Encoder().encode
        self.requests: Final[dict[str, Told]] = {}
        self.messages = 0
        self.by_status: Final[dict[str, int]] = {}

    def __iter__(self) -> Iterator[Told]:
        return iter(self.requests.values())

    def __len__(self) -> int:
        return len(self.requests)

    def open(self, told: Told) -> Told:
        """A till is about to ask for something."""
        self.requests[told.request_id] = told
        return told

    def intend(self, request_id: str, what: str, advice_id: str | None = None) -> None:
        """Write down what is about to be sent."""
        self.messages += 1
        self._line({"at": time.time(), "id": request_id, "sends": what, "advice": advice_id})

    def hear(self, request_id: str, what: str, result: Result) -> None:
        """Write down what was answered."""
        said = str(result.status) if isinstance(result, Heard) else type(result).__name__
        self.by_status[said] = self.by_status.get(said, 0) + 1
        told = said if not isinstance(result, Heard) or result.status < 300 else f"{said} {result.error_type}"
        self._line({"at": time.time(), "id": request_id, "sent": what, "told": told})

    def close(self) -> None:
        """Write what is left."""
        self._file.close()

    def _line(self, value: dict[str, Any]) -> None:
        self._file.write(self._encode(value) + b"\n")
