"""The trade API's wire models (providers.md 8.6). Documented by clients; what is marked P there is Proposed.

Money is whole cents, but for the amount of a lookup. Unknown properties are ignored.
"""

from decimal import Decimal
from typing import Annotated, Any

from msgspec import Struct

from voucherswitch.message.marks import MASKED_LAST_FOUR, PROTOCOL_WORD, QUOTED, SEALED

Text = Annotated[Any, QUOTED]


class VendMetaData(Struct, frozen=True, rename="camel"):
    transaction_request_date_time: str
    consumer_account_number: Annotated[str, MASKED_LAST_FOUR]


class SaleRequest(Struct, frozen=True, rename="camel"):
    request_id: str
    product_id: str
    amount: int
    vend_meta_data: VendMetaData


class SaleAnswer(Struct, frozen=True, rename="camel"):
    """`token` is the PIN. The requestId is not always echoed, and no time or text costs a voucher."""

    amount: int
    token: Annotated[str, SEALED] | None = None
    serial_number: str | None = None
    reference: str | None = None
    product_instructions: Annotated[Any, SEALED] = None
    request_id: str | None = None
    expiry_date_time: Any = None


class RedemptionRequest(Struct, frozen=True, rename="camel"):
    """`amount` 0 asks for all there is."""

    request_id: str
    token: Annotated[str, SEALED]
    amount: int


class ReplacementVoucher(Struct, frozen=True, rename="camel"):
    """What is left of a voucher that was used in part: a new one."""

    token: Annotated[str, SEALED]
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

    code: Annotated[Any, PROTOCOL_WORD] = None
    reason: Text = None
    error: Text = None
    message: Text = None
    description: Text = None
    detail: Text = None
    errors: Text = None
