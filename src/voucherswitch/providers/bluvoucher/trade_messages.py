"""The trade API's wire models (providers.md 8.6). Documented by clients; what is marked P there is Proposed.

Money is whole cents, but for the amount of a lookup. Unknown properties are ignored.
"""

from decimal import Decimal
from typing import Any

from msgspec import Struct


class VendMetaData(Struct, frozen=True, rename="camel"):
    transaction_request_date_time: str
    consumer_account_number: str


class SaleRequest(Struct, frozen=True, rename="camel"):
    request_id: str
    product_id: str
    amount: int
    vend_meta_data: VendMetaData


class SaleAnswer(Struct, frozen=True, rename="camel"):
    """`token` is the PIN. The requestId is not always echoed, and no time or text costs a voucher."""

    amount: int
    token: str | None = None
    serial_number: str | None = None
    reference: str | None = None
    product_instructions: Any = None
    request_id: str | None = None
    expiry_date_time: Any = None


class RedemptionRequest(Struct, frozen=True, rename="camel"):
    """`amount` 0 asks for all there is."""

    request_id: str
    token: str
    amount: int


class ReplacementVoucher(Struct, frozen=True, rename="camel"):
    """What is left of a voucher that was used in part: a new one."""

    token: str
    serial_number: str | None = None
    expiry_date_time: Any = None


class RedemptionAnswer(Struct, frozen=True, rename="camel"):
    amount: int
    reference: str | None = None
    request_id: str | None = None
    replacement_voucher: ReplacementVoucher | None = None


class LookupAnswer(Struct, frozen=True, rename="camel"):
    """The unit of `amount` is disputed: a setting says it."""

    status: str
    amount: Decimal


class ErrorAnswer(Struct, frozen=True):
    """Where clients have seen the text of an error; `code` is ours."""

    code: Any = None
    reason: Any = None
    error: Any = None
    message: Any = None
    description: Any = None
    detail: Any = None
    errors: Any = None
