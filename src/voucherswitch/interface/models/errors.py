"""The body of a refusal."""

from typing import Annotated

from voucherswitch.interface.models.base import DateTime, Message, Text, Uuid, chars
from voucherswitch.interface.models.enums import ErrorType
from voucherswitch.interface.models.parties import Institution, Originator, ThirdPartyIdentifier
from voucherswitch.interface.models.slip import SlipData
from voucherswitch.interface.models.voucher import Voucher
from voucherswitch.message.marks import MASKED, QUOTED, plain


class FormatError(Message):
    """One violated constraint. `field` is absent when the body as a whole is at fault, `value` when it is not a plain
    scalar or must not be shown."""

    field: str | None = None
    msg: str
    value: Annotated[str, chars(0, 80), QUOTED] | None = None


class DetailMessage(Message):
    """What else is known about a refusal: the messages involved, the parties, the voucher of a duplicate."""

    path_id: Text | None = None
    voucher_id: Text | None = None
    reversal_id: Text | None = None
    confirmation_id: Text | None = None
    void_id: Text | None = None
    request_time: DateTime | None = None
    reversal_time: DateTime | None = None
    confirm_date: DateTime | None = None
    void_date: DateTime | None = None
    free_string: Text | None = None
    client: Institution | None = None
    originator: Originator | None = None
    settlement_entity: Institution | None = None
    receiver: Institution | None = None
    voucher: Voucher | None = None
    slip_data: SlipData | None = None
    third_party_identifiers: tuple[ThirdPartyIdentifier, ...] | None = None
    format_errors: tuple[FormatError, ...] | None = None


class ErrorDetail(Message):
    """Every refusal. `id` is that of the message that caused it and absent only where no usable id was read."""

    id: Uuid | None = None
    original_id: Text | None = None
    error_type: ErrorType
    error_message: Annotated[str, chars(0, 80), plain("our own words")]
    provider_error_code: Annotated[Text, QUOTED] | None = None
    provider_error_message: Annotated[Text, QUOTED] | None = None
    detail_message: Annotated[DetailMessage, MASKED] | None = None
