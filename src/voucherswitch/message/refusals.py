"""Answers that say no: what the originator is told, by which rule, and with which details (interface.md §4, §8)."""

from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.parties import Institution, Voucher


class Refusal(Struct, frozen=True):
    """One rule's answer. `rule` is its number in the interface's documents; traces and metrics name it."""

    rule: str
    status: int
    error_type: ErrorType
    message: str
    explanation: str | None = None


class Detail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a refusal may add. Never a PIN, never data of another originator.

    `original_id` is an advice's requestId, or the reversal's id where a request came after its reversal.
    """

    original_id: str | None = None
    voucher_id: str | None = None
    reversal_id: str | None = None
    confirmation_id: str | None = None
    request_time: str | None = None
    client: Institution | None = None
    receiver: Institution | None = None
    voucher: Voucher | None = None
    provider_code: str | None = None
    provider_message: str | None = None
    field: str | None = None  # FORMAT_ERROR of a later step: the path that is wrong
    retry_after_s: int | None = None


class Refused(Exception):  # noqa: N818 (it is an answer, not an error)
    """Raised by a flow that says no; the interface turns it into an ErrorDetail."""

    def __init__(self, refusal: Refusal, detail: Detail | None = None) -> None:
        super().__init__(f"{refusal.rule}: {refusal.error_type}")
        self.refusal = refusal
        self.detail = detail or Detail()


class RecordedRefusal(Struct, frozen=True, omit_defaults=True):
    """A refusal as the journal keeps it, so that the same answer can be given again (rules T7 and K2)."""

    refusal: Refusal
    detail: Detail
